internal import ClairoCore
internal import Crypto
public import Foundation

/// The signature of a webhook, which proves the sender and the time: `t=<unix seconds>,v1=<hex>`, where `v1` is the
/// HMAC-SHA256 of `<t>.<body>`. Stripe and Mux use the same form.
public enum WebhookSignature {
    /// Name of the header field that carries the signature.
    public static let header = "Clairo-Signature"

    /// - Parameter time: Seconds since 1970.
    public static func sign(_ body: Data, secret: String, time: Int64) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: signed(body, time), using: key(secret))
        return "t=\(time),v1=\(code.hexadecimal)"
    }

    /// Verifies a signature, as a receiver does. Several `v1` values are allowed, so that a secret can be rotated.
    /// - Parameters:
    ///   - now: Seconds since 1970.
    ///   - tolerance: The maximum age of the message and clock difference, in seconds.
    public static func isValid(
        _ signature: String, of body: Data, secret: String, now: Int64, tolerance: Int64 = 300
    ) -> Bool {
        let fields = signature.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1) }
        guard let time = fields.first(where: { $0.first == "t" })?.last.flatMap({ Int64($0) }),
            (now.subtractingReportingOverflow(time).partialValue).magnitude <= tolerance.magnitude
        else { return false }
        return fields.contains { field in
            guard field.first == "v1", field.count == 2, let code = Data(hexadecimal: field[1]) else { return false }
            // Compares in constant time.
            return HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: signed(body, time), using: key(secret))
        }
    }

    private static func key(_ secret: String) -> SymmetricKey { SymmetricKey(data: Data(secret.utf8)) }

    private static func signed(_ body: Data, _ time: Int64) -> Data { Data("\(time).".utf8) + body }
}
