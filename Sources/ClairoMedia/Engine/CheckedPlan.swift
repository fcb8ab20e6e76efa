internal import ClairoCore
internal import Libav

/// Plans a job, and accepts a copied rung only if all of its segments can be verified. A source may look compatible and
/// still be damaged.
enum CheckedPlan {
    /// - Returns: The plan, and the warnings about it. The same source and settings always give the same plan.
    static func make(
        scan: SourceScan, fingerprint: SourceFingerprint, settings: TranscodeSettings,
        subtitles: [SubtitleFile] = [], source: any ByteSource, limits: InputLimits, control: JobControl
    ) throws -> (plan: Plan, warnings: [MediaWarning]) {
        let warnings = AudioPlanner(scan.info, pairs: scan.pairs, settings: settings).warnings
        let plan = try TranscodePlanner.plan(
            scan: scan, fingerprint: fingerprint, settings: settings, subtitles: subtitles, limits: limits)
        try requireEncoders(of: plan)
        guard let reason = try CopyRung.problem(of: plan, source: source, limits: limits, control: control) else {
            return (plan, warnings)
        }
        var encoding = settings
        encoding.copyCompatible = false
        var encoded = try TranscodePlanner.plan(
            scan: scan, fingerprint: fingerprint, settings: encoding, subtitles: subtitles, limits: limits)
        // A run that continues compares its settings with these.
        encoded.settings = settings
        let copied = Set((plan.video?.rungs ?? []).filter(\.isCopy).map(\.id))
        for index in encoded.video?.decisions.indices ?? 0..<0
        where copied.contains(encoded.video?.decisions[index].id ?? "") {
            encoded.video?.decisions[index].reason += "; not copied, because \(reason)"
        }
        return (
            encoded,
            warnings + [MediaWarning(.copyRefused, "the video is encoded instead of copied, because \(reason)")]
        )
    }

    /// Refuses a plan that this libav cannot encode, before anything is written.
    private static func requireEncoders(of plan: Plan) throws(ClairoError) {
        for codec in VideoCodec.allCases where !Encoder.isAvailable(codec.coding.encoder) {
            guard plan.video?.rungs.contains(where: { $0.codec == codec && !$0.isCopy }) == true else { continue }
            throw .unavailable(
                "FFmpeg has no encoder \(codec.coding.encoder) for \(codec.title)",
                advice: "Install an FFmpeg with it, or leave \(codec.rawValue) out of --codec.")
        }
    }
}
