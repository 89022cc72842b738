/// Who is calling, found out once, in front of every route.
///
/// [BasicUserFilter][dev.sandpiper.agent.auth.BasicUserFilter] turns `Authorization: Basic` into a
/// [Caller][dev.sandpiper.agent.auth.Caller], which routes read from the exchange. Access tokens are one more filter,
/// in front of this one.
@NullMarked
package dev.sandpiper.agent.auth;

import org.jspecify.annotations.NullMarked;
