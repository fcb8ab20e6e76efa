/// Looks into a source before anything is done with it.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool.
public protocol MediaProber: Sendable {
    /// What is in the source.
    /// - Parameters:
    ///   - name: of the source, for messages.
    ///   - profile: that it is to be processed with, which may take what others refuse.
    /// - Throws: `badInput` (65) where it could not be transcoded: no media, cut short, beyond a limit.
    func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo
}
