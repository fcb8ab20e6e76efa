internal import Foundation

/// Credentials in the JSON format of metadata services and `credential_process`.
struct CredentialDocument: Decodable {
    private var accessKeyID: String?
    private var secretAccessKey: String?
    private var token: String?
    private var sessionToken: String?
    private var expiration: String?
    /// `Success`, or the reason for an error. Instance metadata only.
    private var code: String?
    /// The version of the format. `credential_process` only.
    private var version: Int?

    private enum CodingKeys: String, CodingKey {
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
        case code = "Code"
        case version = "Version"
    }

    /// Parses the response of a metadata service.
    static func answer(_ data: Data) throws(ProviderFailure) -> AWSCredentials {
        let document = try Self(data)
        if let code = document.code, code != "Success" { throw .unavailable("it answered with the code \(code)") }
        return try document.credentials(token: document.token)
    }

    /// Parses the output of a `credential_process`. Source:
    /// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    static func process(_ data: Data) throws(ProviderFailure) -> AWSCredentials {
        let document = try Self(data)
        guard document.version == 1 else { throw .invalid("credential_process did not print a document of Version 1") }
        return try document.credentials(token: document.sessionToken)
    }

    private init(_ data: Data) throws(ProviderFailure) {
        // Discard the decoder's error, because it may quote the text, which is secret.
        guard let document = try? JSONDecoder().decode(Self.self, from: data) else {
            throw .unavailable("the answer is not a JSON document with credentials")
        }
        self = document
    }

    private func credentials(token: String?) throws(ProviderFailure) -> AWSCredentials {
        guard let accessKeyID, !accessKeyID.isEmpty, let secretAccessKey, !secretAccessKey.isEmpty else {
            throw .unavailable("the answer lacks AccessKeyId or SecretAccessKey")
        }
        var end: Date?
        if let expiration {
            end =
                (try? Date(expiration, strategy: .iso8601))
                ?? (try? Date(expiration, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            if end == nil { throw .unavailable("the answer's Expiration is not an ISO 8601 time") }
        }
        return AWSCredentials(
            accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: token, expiration: end)
    }
}
