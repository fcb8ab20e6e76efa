internal import Hummingbird

/// The API's own description, `openapi.json` beside this file.
///
/// Written by hand, so that it says what is promised and not what happens to be; schemathesis holds the server to it.
enum OpenAPI {
    static let response = Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
}
