internal import AWSSigning
internal import Foundation
internal import Synchronization

/// A fake of everything outside the process: files, commands, metadata services and the clock.
final class FakeSystem: Sendable {
    struct NoReply: Error, CustomStringConvertible {
        var description: String { "no reply" }
    }

    struct Contents {
        var environment: [String: String] = ["HOME": "/home/me"]
        var files: [String: String] = [:]
        /// The output of each command. Any other command fails.
        var commands: [String: String] = [:]
        /// Replies by method and URL. Any other request gets no reply. A list is consumed from the front, and its last
        /// entry is repeated.
        var answers: [String: [(status: Int, body: String)]] = [:]
        var now = Date(timeIntervalSince1970: 1_770_000_000)
        var requests: [AWSSystem.MetadataRequest] = []
        var pauses: [Duration] = []
    }

    let contents = Mutex(Contents())

    init(_ change: (inout Contents) -> Void = { _ in }) { contents.withLock { change(&$0) } }

    var requests: [AWSSystem.MetadataRequest] { contents.withLock { $0.requests } }
    var pauses: [Duration] { contents.withLock { $0.pauses } }

    func pass(_ seconds: TimeInterval) { contents.withLock { $0.now += seconds } }

    var system: AWSSystem {
        AWSSystem(
            environment: contents.withLock { $0.environment },
            fetch: { [self] request in
                try contents.withLock { contents in
                    contents.requests.append(request)
                    let name = "\(request.method) \(request.url)"
                    guard let first = contents.answers[name]?.first else { throw NoReply() }
                    if contents.answers[name]?.count ?? 0 > 1 { contents.answers[name]?.removeFirst() }
                    return AWSSystem.MetadataResponse(status: first.status, body: Data(first.body.utf8))
                }
            },
            readFile: { [self] path in
                let text = contents.withLock { $0.files[path] }
                if text == "unreadable" { throw NoReply() }
                return text.map { Data($0.utf8) }
            },
            run: { [self] command in
                guard let text = contents.withLock({ $0.commands[command] }) else { throw NoReply() }
                return Data(text.utf8)
            },
            now: { [self] in contents.withLock { $0.now } },
            pause: { [self] pause in contents.withLock { $0.pauses.append(pause) } })
    }

    func find(profile: String? = nil) -> Result<AWSCredentials, AWSCredentialsError> {
        let chain = AWSCredentialChain(system, profile: profile)
        do { return .success(try chain.credentials()) } catch { return .failure(error) }
    }

    /// A document in the format of metadata services. `end` is in seconds after the fake's start time.
    static func document(_ key: String, end: TimeInterval? = nil, token: String = "Token") -> String {
        let end = end.map {
            ", \"Expiration\": \"\(Date(timeIntervalSince1970: 1_770_000_000 + $0).formatted(.iso8601))\""
        }
        return """
            {"Code": "Success", "AccessKeyId": "\(key)", "SecretAccessKey": "SECRET", "\(token)": "TOKEN"\(end ?? "")}
            """
    }
}

extension Result where Success == AWSCredentials, Failure == AWSCredentialsError {
    var key: String? { (try? get())?.accessKeyID }

    var error: AWSCredentialsError? {
        if case .failure(let error) = self { error } else { nil }
    }

    /// Why the last provider ended the search.
    var reason: String? { error?.attempts.last.map { "\($0.provider): \($0.reason)" } }
}
