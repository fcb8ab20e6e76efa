/// Whether high dynamic range of a source is kept. The raw value is used in settings and documents.
public enum HDRMode: String, Sendable, Codable, Hashable, CaseIterable {
    /// Rungs in HDR are made beside those in SDR if the source is HDR and a codec with 10 bits is asked for.
    case auto
    /// The same, and a source in HDR without such a codec is an error.
    case keep
    /// All rungs are in SDR.
    case sdr
}
