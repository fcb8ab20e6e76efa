internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// `/v1/videos`: lists, shows and deletes videos.
struct VideoRoutes {
    private static let largestPage = 200

    let services: APIServices

    private struct Page: Encodable {
        var videos: [VideoDocument]
        /// The value of `before` for the next page, or nil on the last page.
        var next: VideoID?
    }

    func list(_ context: RequestContext) async throws -> Response {
        var filter = VideoFilter()
        if let text = context.query("state") {
            guard let state = Video.State(rawValue: text) else {
                let states = Video.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError.badRequest("state must be one of \(states)")
            }
            filter.state = state
        }
        if let text = context.query("limit") {
            guard let limit = Int(text), (1...Self.largestPage).contains(limit) else {
                throw APIError.badRequest("limit must be a number from 1 to \(Self.largestPage)")
            }
            filter.limit = limit
        }
        if let text = context.query("before") {
            guard let id = VideoID(text) else { throw APIError.badRequest("before must be the id of a video") }
            filter.before = id
        }
        let videos = try await services.metadata.videos(filter)
        return .json(
            .ok,
            Page(
                videos: videos.map { VideoDocument($0, for: .client) },
                next: videos.count == filter.limit ? videos.last?.id : nil)
        )
    }

    func show(_ context: RequestContext, id text: String) async throws -> Response {
        guard let id = VideoID(text),
            let report = try await VideoReport(id, in: services.metadata, for: .client)
        else { throw APIError.notFound("video") }
        return .json(.ok, report.document)
    }

    func delete(_ context: RequestContext, id text: String) async throws -> Response {
        guard let id = VideoID(text), let video = try await services.deletion.begin(id) else {
            throw APIError.notFound("video")
        }
        return .json(.accepted, VideoDocument(video, for: .client))
    }
}

extension VideoDocument {
    var created: Response {
        .json(.created, self, headers: [.location: "/v1/videos/\(id)", .videoID: id.rawValue])
    }
}
