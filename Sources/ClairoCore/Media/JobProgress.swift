/// The progress of a job. Frames are counted over all rungs and chunks.
public struct JobProgress: Sendable, Hashable, Codable {
    /// The phase of a job.
    public enum Phase: String, Sendable, Codable {
        /// In chronological order.
        case reading, encoding, packaging, verifying, done
    }

    /// The current phase.
    public var phase: Phase
    /// Finished frames, with those of an earlier run.
    public var framesDone: Int
    /// Frames to make; 0 before the plan exists.
    public var framesPlanned: Int
    /// The part of `framesDone` that an earlier run had finished.
    public var framesResumed: Int
    /// Seconds of finished output, averaged over the rungs.
    public var mediaSeconds: Double

    public init(
        phase: Phase = .reading, framesDone: Int = 0, framesPlanned: Int = 0, framesResumed: Int = 0,
        mediaSeconds: Double = 0
    ) {
        self.phase = phase
        self.framesDone = framesDone
        self.framesPlanned = framesPlanned
        self.framesResumed = framesResumed
        self.mediaSeconds = mediaSeconds
    }
}

/// A report of a running job.
public enum JobUpdate: Sendable, Hashable, Codable {
    /// The progress of the job.
    case progress(JobProgress)
    /// A message for people, for example that finished segments were found.
    case note(String)
}
