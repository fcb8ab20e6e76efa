internal import Foundation

/// The credentials of an ECS task's or EKS pod's role, from the local endpoint of its agent.
///
/// The address comes from the environment. With plain HTTP, it must be a loopback address or one of the agents' own
/// addresses, so that the token never leaves the machine. Source:
/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
struct ContainerCredentials: CredentialProvider {
    private static let timeout = Duration.seconds(2)
    private static let attempts = 3
    private static let agents = ["localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23", "::1"]

    let system: AWSSystem

    var name: String { "container" }

    func credentials() throws(ProviderFailure) -> AWSCredentials {
        let request = AWSSystem.MetadataRequest(
            method: "GET", url: try url(),
            headers: [.init("Accept", "application/json")] + (try token().map { [.init("Authorization", $0)] } ?? []),
            timeout: Self.timeout)
        var attempt = 1
        while true {
            do { return try answer(to: request) } catch {
                guard case .unavailable = error, attempt < Self.attempts else { throw error }
            }
            attempt += 1
            system.pause(.seconds(1))
        }
    }

    private func answer(to request: AWSSystem.MetadataRequest) throws(ProviderFailure) -> AWSCredentials {
        let response: AWSSystem.MetadataResponse
        do { response = try system.fetch(request) } catch {
            throw .unavailable("the endpoint does not answer: \(error)")
        }
        switch response.status {
        case 200: return try CredentialDocument.answer(response.body)
        case 400..<500 where response.status != 429:
            throw .invalid("the endpoint refused the request with HTTP \(response.status)")
        default: throw .unavailable("the endpoint answered HTTP \(response.status)")
        }
    }

    private func url() throws(ProviderFailure) -> String {
        if let path = system.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard path.hasPrefix("/") else {
                throw .invalid("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /")
            }
            return "http://169.254.170.2\(path)"
        }
        guard let url = system.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
            throw .nothing("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set")
        }
        guard let components = URLComponents(string: url, encodingInvalidCharacters: false), components.user == nil,
            let host = components.host?.trimmingCharacters(in: ["[", "]"]).lowercased(), !host.isEmpty
        else { throw .invalid("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL with a host") }
        switch components.scheme?.lowercased() {
        case "https": return url
        case "http" where Self.agents.contains(host) || Self.isLoopback(host): return url
        default:
            throw .invalid(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to a loopback address, "
                    + "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    private func token() throws(ProviderFailure) -> String? {
        var token = system.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if let path = system.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            // Read for each request, because the agent renews it.
            guard let data = try? system.readFile(path) else {
                throw .invalid("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \(path) cannot be read")
            }
            token = String(decoding: data, as: UTF8.self)
        }
        if token?.utf8.contains(where: { $0 == 13 || $0 == 10 }) == true {
            throw .invalid("the authorization token contains a line break")
        }
        return token
    }
}
