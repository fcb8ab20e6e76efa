public import ClairoCore

/// The `MediaProber` on libav: a source is good where a plan can be made for it. It has one profile only.
public struct InProcessProber: MediaProber {
    private let limits: InputLimits
    private let settings: TranscodeSettings

    public init(limits: InputLimits = InputLimits(), settings: TranscodeSettings = TranscodeSettings()) {
        self.limits = limits
        self.settings = settings
    }

    public func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
        let scan = try SourceAnalyzer(source: source, name: name, limits: limits).scan()
        _ = try TranscodePlanner.plan(
            scan: scan, fingerprint: SourceFingerprint(name: name, size: source.size, identity: ""),
            settings: settings, limits: limits)
        return scan.info
    }
}
