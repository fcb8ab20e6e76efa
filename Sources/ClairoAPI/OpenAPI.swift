internal import Hummingbird

/// The OpenAPI document, from `openapi.json` beside this file.
///
/// The document is written by hand and is the API's contract. schemathesis tests the server against it.
enum OpenAPI {
    static let response = Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
}
