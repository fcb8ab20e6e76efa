public import ClairoCore
internal import Foundation

/// The origins whose web pages may use the API with scripts (CORS). Without any, browsers allow only pages of the
/// server's own origin.
///
/// Sources: https://www.rfc-editor.org/rfc/rfc6454#section-6.2 (origins),
/// https://fetch.spec.whatwg.org/#http-cors-protocol
public struct AllowedOrigins: Sendable, Hashable {
    /// Whether pages of all origins are allowed.
    let includesAll: Bool
    private let origins: Set<String>

    /// No origins.
    public init() { (includesAll, origins) = (false, []) }

    /// Parses `*`, or a comma-separated list such as `https://app.example,http://localhost:5173`.
    /// - Throws: `usage` (64) if the text names something else than an origin.
    public init(_ text: String) throws(ClairoError) {
        let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        var origins: Set<String> = []
        for name in names where name != "*" {
            guard let origin = WebAddress(name), origin.path.isEmpty else {
                throw .usage(
                    "\(name) is not an origin",
                    advice:
                        "Give *, or a comma-separated list of origins without paths: https://app.example,http://localhost:5173."
                )
            }
            origins.insert(origin.origin)
        }
        (includesAll, self.origins) = (names.contains("*"), origins)
    }

    /// Whether there are none.
    var isEmpty: Bool { !includesAll && origins.isEmpty }

    /// Whether pages of this origin are allowed.
    /// - Parameter origin: The value of a request's header `Origin`. It is `null` for pages without an origin.
    func contains(_ origin: String) -> Bool { includesAll || origins.contains(origin.lowercased()) }
}
