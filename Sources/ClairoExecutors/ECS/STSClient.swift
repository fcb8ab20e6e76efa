internal import AWSClient
public import AWSSigning
public import ClairoCore
internal import Curl
internal import Foundation

/// A client of AWS's Security Token Service, for temporary credentials with a part of a role's permissions.
///
/// Calls block.
/// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
public final class STSClient: Sendable {
    /// The lifetime of the credentials in seconds: the maximum if this process itself has those of a role.
    private static let lifetime = 3600

    private let client: AWSClient

    /// Creates the client. Makes no requests yet.
    /// - Throws: `configuration` (78) if a setting is invalid.
    public init(_ system: AWSSystem) throws(ClairoError) {
        client = try AWSClient(.sts, system, defaultAttempts: 4) { (settings, region) throws(ClairoError) in
            guard let url = settings.endpointURL(of: "sts") else {
                return AWSEndpoint(host: "sts.\(region).\(AWSEndpoint.domain(of: region))")
            }
            return try AWSEndpoint(url: url, of: .sts)
        }
    }

    /// Returns credentials of a role, limited by a policy.
    /// - Parameters:
    ///   - session: The name that AWS's logs show, of 2 to 64 letters, digits, `-` and `_`.
    ///   - policy: A policy document. Only what it and the role allow is allowed.
    func assumeRole(
        _ role: String, session: String, policy: String, stop: StopRequest
    ) throws(ClairoError) -> AWSCredentials {
        let fields = [
            ("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role), ("RoleSessionName", session),
            ("DurationSeconds", "\(Self.lifetime)"), ("Policy", policy),
        ]
        let body = fields.map { "\($0)=\(PercentEncoding.component($1))" }.joined(separator: "&")
        let token = Cancellation()
        let handler = stop.onCancel { token.cancel() }
        defer { stop.forget(handler) }
        var call = AWSCall(
            "POST", headers: [.init("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Data(body.utf8), pause: { ECSClock.wait(seconds: $0, stop: stop) })
        call.connectTimeout = 5
        call.stallTimeout = 30
        call.cancellation = token
        let endpoint = client.endpoint
        do throws(AWSFailure) {
            return try client.send(call) { (reply) throws(AWSFailure) in
                guard let credentials = Self.credentials(reply.body) else {
                    throw AWSFailure(.badReply("the reply of \(endpoint) has no credentials"))
                }
                return credentials
            }
        } catch {
            throw error.error("Assuming the role \(role)", client) { refusal, message in
                guard ["AccessDenied", "AccessDeniedException"].contains(refusal.code) else { return nil }
                return .refused(
                    message,
                    advice:
                        "The worker's credentials must allow sts:AssumeRole on the role, and the role must trust them.")
            }
        }
    }

    private static func credentials(_ reply: Data) -> AWSCredentials? {
        let texts = AWSService.texts(reply)
        guard let key = texts["AccessKeyId"], let secret = texts["SecretAccessKey"], let token = texts["SessionToken"],
            let text = texts["Expiration"], let end = Timestamp(text), !key.isEmpty, !secret.isEmpty
        else { return nil }
        return AWSCredentials(
            accessKeyID: key, secretAccessKey: secret, sessionToken: token,
            expiration: Date(timeIntervalSince1970: Double(end.microseconds) / 1e6))
    }
}

extension AWSService {
    fileprivate static let sts = AWSService(
        name: "STS", signingName: "sts", endpointExample: "https://sts.eu-central-1.amazonaws.com"
    ) { reply, _ in
        let texts = texts(reply.body)
        return AWSRefusal(
            reply, code: texts["Code"] ?? "HTTP \(reply.status)", message: texts["Message"] ?? "",
            requestID: texts["RequestId"])
    }

    /// The text of each element that has only text, by name; the first of each name. Empty if the bytes are not XML.
    fileprivate static func texts(_ document: Data) -> [String: String] {
        var texts: [String: String] = [:]
        var text = ""
        do {
            var reader = try XMLReader(document)
            while let event = try reader.next() {
                switch event {
                case .start: text = ""
                case .text(let piece): text += piece
                case .end(let name):
                    if texts[name] == nil { texts[name] = text.trimmingCharacters(in: .whitespacesAndNewlines) }
                    text = ""
                }
            }
        } catch { return [:] }
        return texts
    }
}
