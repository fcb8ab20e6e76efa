public import AWSSigning
public import Curl

extension AWSSystem {
    /// This machine. Requests to the metadata services of ECS and EC2 use curl, without proxies. Their timeout applies
    /// to connecting and to each wait for bytes.
    /// - Parameter cancellation: Cancels current and later requests.
    public static func here(_ environment: [String: String], cancellation: Cancellation? = nil) -> AWSSystem {
        var configuration = HTTPClient.Configuration()
        configuration.environment = [:]
        let client = HTTPClient(configuration)
        return AWSSystem(environment: environment) { request in
            var message = HTTPRequest(request.method, request.url)
            for header in request.headers { message.headers.append(header.name, header.value) }
            message.connectTimeout = request.timeout / .seconds(1)
            message.stallTimeout = request.timeout / .seconds(1)
            let reply = try client.send(message, limit: 64 << 10, cancellation: cancellation)
            return AWSSystem.MetadataResponse(status: reply.status, body: reply.body)
        }
    }
}
