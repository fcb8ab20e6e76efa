internal import ClairoCore
public import Foundation
internal import OpenSSL

/// The signature of a webhook request: `t=<unix seconds>,v1=<hex>`, where `v1` is the HMAC-SHA256 of `<t>.<body>`. It
/// proves the sender and the time. Stripe and Mux use the same format.
public enum WebhookSignature {
    /// The name of the header that carries the signature.
    public static let header = "Clairo-Signature"

    /// The value of the header for a request body.
    /// - Parameter time: Seconds since 1970.
    public static func sign(_ body: Data, secret: String, time: Int64) -> String {
        let code = AuthenticationCode.sha256(of: Data("\(time).".utf8) + body, key: secret.utf8)
        return "t=\(time),v1=\(code.hexadecimal)"
    }
}
