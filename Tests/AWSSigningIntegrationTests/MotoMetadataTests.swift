import AWSSigning
import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Instance metadata served by moto.
@Suite(.mostlyWaits) struct MotoMetadataTests {
    @Sendable private static func fetch(
        _ request: AWSSystem.MetadataRequest
    ) throws -> AWSSystem.MetadataResponse {
        let response = try HTTPClient.sendAndWait(
            request.method, request.url, headers: request.headers.map { ($0.name, $0.value) })
        return AWSSystem.MetadataResponse(status: response.status, body: response.body)
    }

    private func find(_ environment: [String: String]) async throws -> AWSCredentials {
        let environment = environment.merging(["HOME": "/nowhere"]) { $1 }
        return try await onDedicatedThread(name: "caller") {
            try AWSCredentialChain(AWSSystem(environment: environment, fetch: Self.fetch)).credentials()
        }
    }

    @Test(.enabled(if: S3Server.isInstalled(.moto), "moto is not installed: Scripts/test does it"))
    func readsCredentialsFromMotosInstanceMetadata() async throws {
        let moto = try await S3Server.shared(.moto)
        let found = try await find(["AWS_EC2_METADATA_SERVICE_ENDPOINT": moto.endpoint])
        #expect(!found.accessKeyID.isEmpty && !found.secretAccessKey.isEmpty && found.sessionToken?.isEmpty == false)
        #expect(try #require(found.expiration) > Date())
    }
}
