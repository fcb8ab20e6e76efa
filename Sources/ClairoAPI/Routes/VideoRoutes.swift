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
        /// The `before` parameter of the next page, or nil on the last page.
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
            Page(videos: videos.map { VideoDocument($0) }, next: videos.count == filter.limit ? videos.last?.id : nil)
        )
    }

    func show(_ context: RequestContext, id text: String) async throws -> Response {
        guard let id = VideoID(text), let video = try await services.metadata.video(id) else {
            throw APIError.notFound("video")
        }
        var document = VideoDocument(video)
        let jobs = try await services.metadata.jobs(of: id)
        document.jobs = []
        for job in jobs {
            document.jobs?.append(.init(job, tasks: try await services.metadata.tasks(of: job.id)))
        }
        document.renditions = try await services.metadata.renditions(of: id).map { .init($0) }
        return .json(.ok, document)
    }

    func delete(_ context: RequestContext, id text: String) async throws -> Response {
        guard let id = VideoID(text) else { throw APIError.notFound("video") }
        let removal = services.removal
        switch try await runToCompletion({ try await removal.remove(id) }) {
        case .removed: return Response(status: .noContent)
        case .unknown: throw APIError.notFound("video")
        case .busy:
            throw APIError(.conflict, "processing", "The video is being processed; cancel it or wait until it ends")
        }
    }
}

/// A video in the API. It does not contain where bytes are stored; errors are reduced to what the owner can use.
struct VideoDocument: Encodable {
    struct Problem: Encodable {
        var kind: ClairoError.Kind
        var message: String

        init(_ failure: Failure) {
            kind = failure.kind
            message =
                switch failure.kind {
                case .badInput: failure.message
                case .cancelled: "Cancelled"
                case .transient, .capacity: "The video could not be processed at this time"
                case .defect, .usage: "Internal error"
                }
        }
    }

    struct JobDocument: Encodable {
        var id: JobID
        var state: Job.State
        var profile: String
        var createdAt: Timestamp
        var finishedAt: Timestamp?
        /// The number of tasks in each state.
        var tasks: [String: Int]
        var framesDone: Int
        var framesPlanned: Int
        /// See `JobPace`.
        var framesPerSecond: Double?
        var speed: Double?
        var etaSeconds: Double?
        var error: Problem?

        init(_ job: Job, tasks: [WorkTask]) {
            id = job.id
            state = job.state
            profile = job.profile
            createdAt = job.createdAt
            finishedAt = job.finishedAt
            self.tasks = Dictionary(grouping: tasks, by: \.state.rawValue).mapValues(\.count)
            framesDone = tasks.reduce(0) { $0 + $1.framesDone }
            framesPlanned = tasks.reduce(0) { $0 + $1.framesPlanned }
            let pace = JobPace(of: job, tasks: tasks, now: .now)
            (framesPerSecond, speed, etaSeconds) = (pace?.framesPerSecond, pace?.speed, pace?.etaSeconds)
            error = job.error.map(Problem.init)
        }
    }

    struct RenditionDocument: Encodable {
        var name: String
        var width: Int
        var height: Int
        var codec: String
        var averageRate: Int64
        var peakRate: Int64
        var bytes: Int64
        var playlistURL: String?
        var mp4URL: String?

        init(_ rendition: Rendition) {
            name = rendition.name
            (width, height) = (rendition.width, rendition.height)
            codec = rendition.codec
            (averageRate, peakRate) = (rendition.averageRate, rendition.peakRate)
            bytes = rendition.bytes
            (playlistURL, mp4URL) = (rendition.playlistURL, rendition.mp4URL)
        }
    }

    var id: VideoID
    var state: Video.State
    var title: String?
    var name: String
    var profile: String
    var priority: Priority
    var tenant: String
    var size: Int64
    var sha256: String
    var media: MediaInfo?
    var uploadedAt: Timestamp
    var updatedAt: Timestamp
    var output: ProcessedOutput?
    var error: Problem?
    /// Only in the response for a single video.
    var jobs: [JobDocument]?
    var renditions: [RenditionDocument]?

    init(_ video: Video) {
        id = video.id
        state = video.state
        title = video.title
        name = video.originalName
        profile = video.profile
        priority = video.priority
        tenant = video.tenant
        size = video.size
        sha256 = video.sha256
        media = video.media
        uploadedAt = video.uploadedAt
        updatedAt = video.updatedAt
        output = video.output
        error = video.error.map(Problem.init)
    }

    var created: Response {
        .json(.created, self, headers: [.location: "/v1/videos/\(id)", .videoID: id.rawValue])
    }
}
