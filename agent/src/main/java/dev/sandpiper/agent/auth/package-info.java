/// Who may call, and as whom: filters in front of every route.
///
/// In order: [HostFilter][dev.sandpiper.agent.auth.HostFilter] keeps web pages away from an agent without a token,
/// [TokenFilter][dev.sandpiper.agent.auth.TokenFilter] asks for the
/// [AccessToken][dev.sandpiper.agent.auth.AccessToken], and
/// [BasicUserFilter][dev.sandpiper.agent.auth.BasicUserFilter] turns `Authorization: Basic` into a
/// [Caller][dev.sandpiper.agent.auth.Caller], which routes read from the exchange. Two routes look for themselves:
/// `/files` with [SignedUrls][dev.sandpiper.agent.auth.SignedUrls], `/init` with
/// [InitAccess][dev.sandpiper.agent.auth.InitAccess]. Secrets never leave this package but to be compared, and none of
/// its types shows one.
@NullMarked
package dev.sandpiper.agent.auth;

import org.jspecify.annotations.NullMarked;
