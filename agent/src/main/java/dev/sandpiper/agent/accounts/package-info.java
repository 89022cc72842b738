/// Whom requests act as, where, and with which variables.
///
/// [Users][dev.sandpiper.agent.accounts.Users] knows the accounts of the machine from its files.
/// [SandboxDefaults][dev.sandpiper.agent.accounts.SandboxDefaults] holds what a control plane may change while the agent
/// runs: default user, default directory, variables. [Accounts][dev.sandpiper.agent.accounts.Accounts] puts the two
/// together: the account of a request, and [Paths][dev.sandpiper.agent.accounts.Paths] the path that it means.
@NullMarked
package dev.sandpiper.agent.accounts;

import org.jspecify.annotations.NullMarked;
