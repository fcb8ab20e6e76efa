public import ClairoCore
internal import Testing

extension Plan {
    public static let sampleRung = Rung(
        id: "180p", size: FrameSize(width: 320, height: 180), maxRate: 400_000, bufferSize: 800_000)

    /// One rung and one audio track.
    public static func sample(chunks: Int, segmentsPerChunk: Int) -> Plan {
        let rate = Rational(25)
        let grid = SegmentGrid(frameRate: rate, frameCount: 150 * chunks * segmentsPerChunk, segmentSeconds: 6)
        let video = VideoPlan(
            streamIndex: 0, grid: grid, sourceFrameCount: grid.frameCount, orientation: .upright, deinterlace: false,
            dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: segmentsPerChunk, isSeekable: true,
            rungs: [sampleRung], decisions: [])
        let track = AudioPlan(
            streamIndex: 1, language: "und", title: nil, channels: 2, bitRate: 128_000,
            sampleCount: 48_000 * 6 * chunks * segmentsPerChunk,
            segmentBoundaries: (1..<chunks * segmentsPerChunk).map { Rational(Int64($0 * 6)) })
        return Plan(
            source: SourceFingerprint(name: "clip.mp4", size: 1, identity: "sha256:0"), settings: TranscodeSettings(),
            origin: .zero, video: video, audio: [track],
            chunks: (0..<chunks).map {
                Chunk(
                    index: $0, segments: ($0 * segmentsPerChunk)..<(($0 + 1) * segmentsPerChunk), seekTimestamp: nil)
            }, prediction: Prediction(bytes: 0, cpuSeconds: 0))
    }

    /// Adds the sample rung in HEVC, which a second wave makes in as many chunks.
    public func addingAWave() -> Plan {
        var plan = self
        var rung = Self.sampleRung
        (rung.id, rung.codec, rung.wave) = ("180p-hevc", .hevc, 1)
        plan.video?.rungs.append(rung)
        plan.chunks += chunks.map {
            Chunk(index: $0.index + chunks.count, wave: 1, segments: $0.segments, seekTimestamp: nil)
        }
        return plan
    }
}

extension MetadataStoreContract {
    /// A running job with one chunk task, due now.
    public static func chunk(
        of plan: Plan, maxAttempts: Int = 5, in store: any MetadataStore
    ) async throws -> WorkTask {
        let planTask = try await create([.plan], in: store)[0]
        let claim = try await claim(planTask, in: store).claim
        let job = try #require(try await store.job(planTask.jobID))
        var task = MetadataSamples.task(of: job)
        task.maxAttempts = maxAttempts
        #expect(
            try await store.succeedPlan(
                claim, result: TaskResult(plan: plan), plan: plan, tasks: [task], messages: []))
        return task
    }
}
