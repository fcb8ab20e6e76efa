internal import Foundation
internal import Synchronization

/// Finds credentials where AWS's tools do, and renews those that expire.
///
/// Asked in this order: the environment, the profile in the shared files, the container's endpoint (ECS, EKS), the instance's
/// metadata service (EC2). The first that has some is the last that is asked; one that is set up but broken ends the search,
/// so that nobody works under another identity by accident.
///
/// Five minutes before they expire, one caller renews them while the others go on with the old ones; in the last minute all
/// callers wait for that one. A renewal that fails does no harm as long as the old ones are valid.
public final class AWSCredentialChain: Sendable {
    /// How long before their end credentials are renewed (advisory), and from when on callers wait for that (mandatory).
    static let advisory: TimeInterval = 300
    static let mandatory: TimeInterval = 60
    /// Between two renewals while the old credentials are valid, however those ended.
    static let renewalPause: TimeInterval = 10

    private struct State {
        var result: Result<AWSCredentials, AWSCredentialsError>?
        var renewed = Date.distantPast
        /// Counts renewals: who has waited for one takes its result, also a failure.
        var round = 0
    }

    private let providers: [any CredentialProvider]
    private let now: @Sendable () -> Date
    private let state = Mutex(State())
    /// Held by the one caller who renews. Callers are on threads of their own, never on the cooperative pool.
    private let renewal = Mutex(())

    /// - Parameter profile: the profile to use whatever the environment says; without one the keys in the environment come
    ///   first, also before `AWS_PROFILE`, as in AWS's own tools.
    public convenience init(_ system: AWSSystem, profile: String? = nil) {
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

    /// Credentials that are valid now. May block for as long as a metadata service takes to answer.
    public func credentials() throws(AWSCredentialsError) -> AWSCredentials {
        let seen = state.withLock { $0 }
        let now = now()
        if let current = try? seen.result?.get() {
            let left = current.expiration?.timeIntervalSince(now) ?? .infinity
            if left > Self.advisory { return current }
            if left > 0, now < seen.renewed + Self.renewalPause { return current }
            if left > Self.mandatory {
                // Who comes second does not wait.
                let renewed = renewal.withLockIfAvailable { _ in Result { try renew(after: seen.round) } }
                return (try? renewed?.get()) ?? current
            }
        }
        return try renewal.withLock { _ throws(AWSCredentialsError) in try renew(after: seen.round) }
    }

    /// Forgets credentials that a service has refused as expired or unknown, unless there are newer ones already.
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
        if let end = found.expiration, end <= now() { throw .unavailable("the credentials that it gave have expired") }
        return found
    }
}
