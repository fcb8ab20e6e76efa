internal import Foundation
internal import Synchronization

/// Finds credentials in the same places as AWS's tools, and renews credentials that expire.
///
/// Providers are asked in this order: the environment, the profile in the shared files, the container's endpoint (ECS,
/// EKS), the instance metadata service (EC2). The first one that has credentials is used. A provider that is configured
/// but fails ends the search, so that another identity is not used by accident.
///
/// From five minutes before the credentials expire, one caller renews them while others still use the old ones. In the
/// last minute, all callers wait for the renewal. A failed renewal is ignored while the old credentials are valid.
public final class AWSCredentialChain: Sendable {
    /// Seconds before expiry at which credentials are renewed (advisory), and at which all callers wait for the renewal
    /// (mandatory).
    static let advisory: TimeInterval = 300
    static let mandatory: TimeInterval = 60
    /// The minimum number of seconds between renewals while the old credentials are valid, whether they succeed or
    /// fail.
    static let renewalPause: TimeInterval = 10

    private struct State {
        var result: Result<AWSCredentials, AWSCredentialsError>?
        var renewed = Date.distantPast
        /// The number of renewals. A caller that waited for a renewal uses its result, even if that is an error.
        var round = 0
    }

    private let providers: [any CredentialProvider]
    private let now: @Sendable () -> Date
    private let state = Mutex(State())
    /// Held during a renewal, which blocks. Callers are on dedicated threads, never on the cooperative pool.
    private let renewal = Mutex(())

    /// - Parameter profile: The profile to use regardless of the environment. If nil, keys in the environment come
    ///   first, even before `AWS_PROFILE`, as in AWS's own tools.
    public convenience init(_ system: AWSSystem, profile: String? = nil) {
        if let given = system.credentials {
            self.init(providers: [GivenCredentials(given: given)], now: system.now)
            return
        }
        let fromEnvironment = profile == nil ? [EnvironmentCredentials(system: system)] : []
        self.init(
            providers: fromEnvironment + [
                ProfileCredentials(system: system, profile: profile), ContainerCredentials(system: system),
                InstanceCredentials(system: system),
            ],
            now: system.now)
    }

    init(providers: [any CredentialProvider], now: @escaping @Sendable () -> Date) {
        self.providers = providers
        self.now = now
    }

    /// Valid credentials. May block until a provider answers.
    public func credentials() throws(AWSCredentialsError) -> AWSCredentials {
        let seen = state.withLock { $0 }
        let now = now()
        if let current = try? seen.result?.get() {
            let left = current.expiration?.timeIntervalSince(now) ?? .infinity
            if left > Self.advisory { return current }
            if left > 0, now < seen.renewed + Self.renewalPause { return current }
            if left > Self.mandatory {
                // If another caller holds the lock, it is already renewing them.
                let renewed = renewal.withLockIfAvailable { _ in Result { try renew(after: seen.round) } }
                return (try? renewed?.get()) ?? current
            }
        }
        return try renewal.withLock { _ throws(AWSCredentialsError) in try renew(after: seen.round) }
    }

    /// Discards credentials that a service has rejected as expired, unless they have been renewed meanwhile.
    public func invalidate(_ credentials: AWSCredentials) {
        state.withLock { if case .success(credentials) = $0.result { $0.result = nil } }
    }

    private func renew(after round: Int) throws(AWSCredentialsError) -> AWSCredentials {
        let seen = state.withLock { $0 }
        if seen.round != round, let result = seen.result { return try result.get() }
        var result = search()
        if case .failure = result, let current = try? seen.result?.get(), let end = current.expiration, end > now() {
            result = .success(current)
        }
        let renewed = now()
        state.withLock { state in
            state.result = result
            state.renewed = renewed
            state.round += 1
        }
        return try result.get()
    }

    private func search() -> Result<AWSCredentials, AWSCredentialsError> {
        var attempts: [AWSCredentialsError.Attempt] = []
        for provider in providers {
            do { return .success(try ask(provider)) } catch {
                attempts.append(.init(provider: provider.name, reason: error.reason))
                switch error {
                case .nothing: continue
                case .invalid: return .failure(AWSCredentialsError(kind: .invalid, attempts: attempts))
                case .unavailable: return .failure(AWSCredentialsError(kind: .unavailable, attempts: attempts))
                }
            }
        }
        return .failure(AWSCredentialsError(kind: .missing, attempts: attempts))
    }

    private func ask(_ provider: any CredentialProvider) throws(ProviderFailure) -> AWSCredentials {
        let found = try provider.credentials()
        if let end = found.expiration, end <= now() { throw .unavailable("the returned credentials have expired") }
        return found
    }
}
