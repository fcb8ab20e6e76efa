internal import Foundation

/// The credentials of an EC2 instance's role, from version 2 of the instance metadata service (IMDSv2): a PUT returns a
/// token, which the following GETs must contain.
///
/// Outside of EC2, nothing answers, so by default there is only one attempt with a timeout of one second. Source:
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
struct InstanceCredentials: CredentialProvider {
    private static let roles = "/latest/meta-data/iam/security-credentials/"

    let system: AWSSystem

    var name: String { "instance metadata" }

    func credentials() throws(ProviderFailure) -> AWSCredentials {
        if system.variable("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" {
            throw .nothing("AWS_EC2_METADATA_DISABLED is true")
        }
        let token = try token()
        let headers = [AWSRequest.Header("X-aws-ec2-metadata-token", token)]
        let list = try ask("GET", Self.roles, headers)
        let role = list.status == 200 ? text(list.body).split(whereSeparator: \.isNewline).first.map(String.init) : nil
        guard let role, list.status == 200 else {
            if list.status == 404 || list.status == 200 { throw .nothing("the instance has no role") }
            throw .unavailable("the request for the list of roles failed with HTTP \(list.status)")
        }
        let answer = try ask("GET", Self.roles + PercentEncoding.component(role), headers)
        guard answer.status == 200 else {
            throw .unavailable("the request for the role's credentials failed with HTTP \(answer.status)")
        }
        return try CredentialDocument.answer(answer.body)
    }

    private func token() throws(ProviderFailure) -> String {
        let response: AWSSystem.MetadataResponse
        do {
            response = try ask("PUT", "/latest/api/token", [.init("X-aws-ec2-metadata-token-ttl-seconds", "21600")])
        } catch {
            // Outside of EC2, it is normal that nothing answers.
            if case .unavailable(let reason) = error { throw .nothing(reason) }
            throw error
        }
        let token = text(response.body).trimmingCharacters(in: .whitespacesAndNewlines)
        guard response.status == 200, !token.isEmpty else {
            throw .nothing("it returned no token (HTTP \(response.status))")
        }
        return token
    }

    private func ask(
        _ method: String, _ path: String, _ headers: [AWSRequest.Header]
    ) throws(ProviderFailure) -> AWSSystem.MetadataResponse {
        let request = AWSSystem.MetadataRequest(
            method: method, url: try endpoint() + path, headers: headers,
            timeout: .seconds(try number("AWS_METADATA_SERVICE_TIMEOUT")))
        let attempts = try number("AWS_METADATA_SERVICE_NUM_ATTEMPTS")
        var attempt = 1
        while true {
            do {
                let response = try system.fetch(request)
                if response.status < 500 || attempt >= attempts { return response }
            } catch {
                if attempt >= attempts { throw .unavailable("the service does not answer: \(error)") }
            }
            attempt += 1
            system.pause(.seconds(1))
        }
    }

    private func endpoint() throws(ProviderFailure) -> String {
        if let url = system.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                throw .invalid("AWS_EC2_METADATA_SERVICE_ENDPOINT is not an http or https URL")
            }
            return url.hasSuffix("/") ? String(url.dropLast()) : url
        }
        return system.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")?.lowercased() == "ipv6"
            ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
    }

    /// The positive number in a variable (default: 1).
    private func number(_ name: String) throws(ProviderFailure) -> Int {
        guard let text = system.variable(name) else { return 1 }
        guard let number = Int(text), number > 0 else { throw .invalid("\(name) must be a whole number above 0") }
        return number
    }

    private func text(_ data: Data) -> String { String(decoding: data, as: UTF8.self) }
}
