/// Probes a source before processing.
///
/// Calls block. Use a dedicated thread, never the cooperative pool.
public protocol MediaProber: Sendable {
    /// Probes a source.
    /// - Parameters:
    ///   - name: The source's name for messages.
    ///   - profile: The profile to use, which may accept sources that others reject.
    /// - Throws: `badInput` (65) if the source cannot be transcoded: no media, truncated, beyond a limit.
    func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo
}
