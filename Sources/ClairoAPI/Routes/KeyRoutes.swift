internal import ClairoCore
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// `/v1/videos/{id}/keys`: gives holders of a token the keys of encrypted videos, for players.
///
/// Answers are secret: nothing caches them (`Cache-Control: no-store`, as of every answer), and they are not logged.
struct KeyRoutes {
    /// A request asks for at most this many keys.
    private static let mostKeys = 16

    let services: APIServices

    /// The 16 bytes of a key, as HLS players fetch them (RFC 8216, 5.1).
    func key(of video: String, id text: String) async throws -> Response {
        guard let id = KeyID(text), let key = try await keys(of: video)[id] else { throw APIError.notFound("key") }
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: key.bytes)))
    }

    /// A licence request of Clear Key (Encrypted Media Extensions, 9.1.3).
    private struct LicenceRequest: Decodable {
        var kids: [String]
        var type: String?
    }

    /// A licence: a JSON Web Key set (9.1.4).
    private struct Licence: Encodable {
        struct Key: Encodable {
            var kty = "oct"
            var kid: String
            var k: String
        }
        var keys: [Key]
        var type: String
    }

    /// Answers a licence request with the keys that the video has.
    func licence(_ context: RequestContext, of video: String) async throws -> Response {
        let set = try await keys(of: video)
        let buffer = try await context.body.collect(upTo: 16 << 10)
        // Players send it without a Content-Type, or as one of several.
        guard let request = try? JSONDecoder().decode(LicenceRequest.self, from: Data(buffer.readableBytesView)),
            (1...Self.mostKeys).contains(request.kids.count)
        else { throw APIError.badRequest("Send {\"kids\":[…]} with 1 to \(Self.mostKeys) ids in base64url") }
        let keys = request.kids.compactMap { text -> Licence.Key? in
            guard let id = Self.bytes(base64URL: text).flatMap({ KeyID($0.hexadecimal) }), let key = set[id] else {
                return nil
            }
            return Licence.Key(kid: Self.base64URL(id.bytes), k: Self.base64URL(key.bytes))
        }
        guard !keys.isEmpty else { throw APIError.notFound("key") }
        return .json(.ok, Licence(keys: keys, type: request.type ?? "temporary"))
    }

    private func keys(of text: String) async throws -> KeySet {
        guard let secret = services.masterSecret else { throw APIError.notFound("key") }
        guard services.options.tokenFile != nil else {
            throw APIError(.forbidden, "forbidden", "Keys are given to holders of a token; this server has none")
        }
        guard let id = VideoID(text), try await services.metadata.video(id) != nil else {
            throw APIError.notFound("video")
        }
        return secret.keys(of: id)
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func bytes(base64URL text: String) -> Data? {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        return Data(base64Encoded: standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4))
    }
}
