internal import ClairoCore
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// The routing table. Unlike Hummingbird's router, it can list the allowed methods in a 405.
struct Routes {
    struct Route {
        var handlers: [HTTPRequest.Method: APIResponder.Handler]
        /// Whether the route needs no token.
        var isPublic = false
        var isHealthCheck = false
        /// The answer to OPTIONS has these headers besides `Allow`. Set for the routes of tus.
        var capabilities: HTTPFields?

        var isTus: Bool { capabilities != nil }

        var allowed: String {
            var methods = Set(handlers.keys.map(\.rawValue)).union(["OPTIONS"])
            if methods.contains("GET") { methods.insert("HEAD") }
            return methods.sorted().joined(separator: ", ")
        }

        /// The answer to OPTIONS, which every route accepts from anyone: for preflight requests of browsers (CORS).
        func options() -> Response {
            var headers = capabilities ?? [:]
            headers[.allow] = allowed
            return Response(status: .noContent, headers: headers)
        }

        /// The effective method. A tus client that can only send POST puts the intended method into the header
        /// X-HTTP-Method-Override (tus 1.0.0).
        func method(of request: Request) -> HTTPRequest.Method {
            guard isTus, request.method == .post, let name = request.headers[.named("X-HTTP-Method-Override")] else {
                return request.method
            }
            return HTTPRequest.Method(rawValue: name.uppercased()) ?? request.method
        }
    }

    let services: APIServices

    /// The route of a path. A slash at the end makes no difference.
    func find(_ path: String) -> Route? {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        if parts.count > 1, parts.last == "" { parts.removeLast() }
        let (videos, intake) = (VideoRoutes(services: services), VideoRequestHandler(services: services))
        let (tus, direct) = (Tus(services: services), DirectRoutes(services: services))
        switch parts {
        case ["healthz"]:
            return Route(handlers: [.get: { _ in HealthRoutes.alive() }], isPublic: true, isHealthCheck: true)
        case ["readyz"]:
            return Route(
                handlers: [.get: { [services] _ in await HealthRoutes.ready(services) }], isPublic: true,
                isHealthCheck: true)
        case ["openapi.json"]: return Route(handlers: [.get: { _ in OpenAPI.response }], isPublic: true)
        case ["v1", "videos"]:
            return Route(handlers: [.get: videos.list, .post: intake.receive, .put: intake.receive])
        // `curl -T film.mov http://…/v1/videos/` sends PUT /v1/videos/film.mov.
        case _ where parts.count == 3 && parts.starts(with: ["v1", "videos"]):
            let name = parts[2]
            return Route(handlers: [
                .get: { try await videos.show($0, id: name) }, .delete: { try await videos.delete($0, id: name) },
                .put: { try await intake.receive($0, name: PercentCoding.decode(name) ?? name) },
            ])
        case _ where parts.count == 4 && parts.starts(with: ["v1", "videos"]) && parts[3] == "keys":
            let (keys, id) = (KeyRoutes(services: services), parts[2])
            return Route(handlers: [.post: { try await keys.licence($0, of: id) }])
        case _ where parts.count == 5 && parts.starts(with: ["v1", "videos"]) && parts[3] == "keys":
            let (keys, id, key) = (KeyRoutes(services: services), parts[2], parts[4])
            return Route(handlers: [.get: { _ in try await keys.key(of: id, id: key) }])
        case ["v1", "uploads", "tus"]:
            return Route(handlers: [.post: tus.create], capabilities: tus.capabilities)
        case _ where parts.count == 4 && parts.starts(with: ["v1", "uploads", "tus"]):
            let id = parts[3]
            return Route(
                handlers: [
                    .head: { try await tus.head($0, id: id) }, .patch: { try await tus.patch($0, id: id) },
                    .delete: { try await tus.delete($0, id: id) },
                ], capabilities: tus.capabilities)
        case ["v1", "uploads"]: return Route(handlers: [.post: direct.create])
        case _ where parts.count == 3 && parts.starts(with: ["v1", "uploads"]):
            let id = parts[2]
            return Route(handlers: [
                .get: { try await direct.show($0, id: id) }, .delete: { try await direct.delete($0, id: id) },
            ])
        case _ where parts.count == 4 && parts.starts(with: ["v1", "uploads"]) && parts[3] == "parts":
            let id = parts[2]
            return Route(handlers: [.get: { try await direct.parts($0, id: id) }])
        case _ where parts.count == 4 && parts.starts(with: ["v1", "uploads"]) && parts[3] == "complete":
            let id = parts[2]
            return Route(handlers: [.post: { try await direct.complete($0, id: id) }])
        default: return nil
        }
    }
}

/// Health checks for load balancers and orchestrators.
enum HealthRoutes {
    private struct Alive: Encodable { var status = "ok" }

    /// Liveness: always 200.
    static func alive() -> Response { .json(.ok, Alive()) }

    /// Readiness: 200 if the database and the store answer, otherwise 503.
    static func ready(_ services: APIServices) async -> Response {
        let report = await services.readiness.report()
        return .json(report.status == .ok ? .ok : .serviceUnavailable, report)
    }
}
