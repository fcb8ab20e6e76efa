internal import AWSSigning
public import ClairoCore
internal import Foundation
internal import Synchronization

/// The role that can reach the whole output store. Workers take it in the name of a task, limited to its job's folder.
///
/// The role that ECS gives to all tasks of a task definition is the same for all of them, so it cannot be limited to a
/// job.
public struct ECSOutputRole: Sendable, Hashable {
    /// The ARN: `arn:aws:iam::123456789012:role/name`.
    public let arn: String
    let partition: String

    /// - Throws: `configuration` (78) if the text is not the ARN of a role.
    public init(_ arn: String) throws(ClairoError) {
        guard let match = arn.wholeMatch(of: /arn:(aws[a-z-]*):iam::[0-9]{12}:role\/[A-Za-z0-9_+=,.@\/-]{1,577}/) else {
            throw .configuration(
                "ecs-output-role is \(arn.debugDescription), which is not the ARN of a role",
                advice: "Give it in the form arn:aws:iam::123456789012:role/NAME.")
        }
        self.arn = arn
        partition = String(match.1)
    }
}

/// Temporary credentials in `lease.json`.
struct OutputCredentials: Codable, Equatable {
    var accessKeyID: String
    var secretAccessKey: String
    var sessionToken: String?
    var expiration: Timestamp?

    init(_ credentials: AWSCredentials) {
        accessKeyID = credentials.accessKeyID
        secretAccessKey = credentials.secretAccessKey
        sessionToken = credentials.sessionToken
        expiration = credentials.expiration.map { Timestamp($0) }
    }

    var credentials: AWSCredentials {
        AWSCredentials(
            accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken,
            expiration: expiration.map { Date(timeIntervalSince1970: Double($0.microseconds) / 1e6) })
    }
}

extension OutputCredentials: CustomStringConvertible {
    /// Without the secrets.
    var description: String { credentials.description }
}

/// One attempt's access to the output folder of its job.
final class OutputAccess: Sendable {
    /// Seconds before the end at which credentials are renewed. They are valid for an hour.
    private static let renewal = 1500.0

    private let client: STSClient
    private let role: ECSOutputRole
    private let spec: TaskSpec
    private let output: ObjectLocation
    private let current = Mutex<AWSCredentials?>(nil)

    /// - Parameter output: The output store's own location.
    init(_ client: STSClient, role: ECSOutputRole, spec: TaskSpec, output: ObjectLocation) {
        (self.client, self.role, self.spec, self.output) = (client, role, spec, output)
    }

    /// Returns credentials that are valid for a while. Blocks if they must be renewed. If that fails, the old ones are
    /// used as long as they are valid.
    func credentials(stop: StopRequest) throws(ClairoError) -> OutputCredentials {
        let known = current.withLock { $0 }
        let left = known?.expiration?.timeIntervalSinceNow ?? -1
        if let known, left > Self.renewal { return OutputCredentials(known) }
        do throws(ClairoError) {
            let folder = JobFolder(video: spec.videoID, job: spec.jobID)
            let renewed = try client.assumeRole(
                role.arn, session: "clairo-\(spec.taskID)-\(spec.attempt)",
                policy: JobPolicy(output: output, folder: folder, role: role).json, stop: stop)
            current.withLock { $0 = renewed }
            return OutputCredentials(renewed)
        } catch {
            guard let known, left > 0, error.kind != .cancelled else { throw error }
            return OutputCredentials(known)
        }
    }
}
