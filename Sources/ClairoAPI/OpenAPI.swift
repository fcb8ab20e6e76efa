internal import Hummingbird

/// The OpenAPI document, `openapi.json` beside this file.
///
/// It is written by hand as the API's contract, and schemathesis tests the server against it.
enum OpenAPI {
    static let response = Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
}
