public import ClairoCore

/// The keys of the pipeline's videos, and where players get them.
public struct VideoKeys: Sendable {
    private let secret: MasterSecret
    /// The URI of a key if the profile has none, with `{video}` and `{kid}`.
    private let uri: String

    /// - Parameter publicURL: The URL of `clairo serve` for clients; nil for paths on the players' own server.
    public init(_ secret: MasterSecret, publicURL: String?) {
        self.secret = secret
        let address = publicURL ?? ""
        uri = (address.hasSuffix("/") ? String(address.dropLast()) : address) + "/v1/videos/{video}/keys/{kid}"
    }

    /// The keys of a video.
    public func keys(of video: VideoID) -> KeySet { secret.keys(of: video) }

    /// The protection that a profile asks for; nil for clear output.
    /// - Throws: `refused` if it asks for encryption and this process has no keys.
    static func protection(
        _ settings: TranscodeSettings, of video: VideoID, _ keys: VideoKeys?
    ) throws(ClairoError) -> Protection? {
        guard settings.encrypt != nil else { return nil }
        guard let keys else { throw missing }
        return try Protection(settings, keys: keys.keys(of: video), video: video, defaultURI: keys.uri)
    }

    /// A job's output folder as its tasks see it: decrypted, if the plan encrypts it.
    /// - Throws: `refused` if this process has no keys, or has other keys than the process that planned the job.
    static func folder(
        _ folder: any ObjectStore, plan: Plan?, of video: VideoID, _ keys: VideoKeys?
    ) throws(ClairoError) -> any ObjectStore {
        guard let protection = plan?.protection else {
            guard plan?.settings.encrypt == nil else {
                throw .defect("The plan of video \(video) asks for encryption and does not say with which keys")
            }
            return folder
        }
        guard let keys else { throw missing }
        let set = keys.keys(of: video)
        do throws(ClairoError) {
            try set.check(protection, of: "the output of video \(video)")
        } catch {
            throw .refused(
                error.message, exitCode: .configuration, advice: "Give all workers the same master-key-file.")
        }
        return EncryptingStore(folder, protection, keys: set)
    }

    private static let missing = ClairoError.refused(
        "The profile encrypts its output, but this worker has no master secret", exitCode: .configuration,
        advice: "Set master-key-file (CLAIRO_MASTER_KEY_FILE), the same for all workers and clairo serve.")
}
