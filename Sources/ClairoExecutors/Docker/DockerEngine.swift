internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation
internal import Glibc

/// A client for the parts of the Docker Engine API that tasks need, over the daemon's Unix socket. Calls block.
///
/// The kind of an error gives its cause. If the daemon is unavailable, busy or out of space, which is unrelated to the
/// task, it is `capacity` or `transient`. If the daemon rejects the request, it is `defect`.
struct DockerEngine: Sendable {
    /// The path of the daemon's socket.
    let socket: String

    private static let client = HTTPClient()
    /// The minor versions of the oldest API with all required features (Docker 20.10) and of the newest that was
    /// tested.
    private static let versions = (oldest: 41, newest: 44)

    /// The minor version of the API 1.x that both sides support.
    private let version: Int

    /// - Parameter socket: A path, or a `unix://` URL as in DOCKER_HOST.
    /// - Throws: `configuration` (78) if the address is not local or the API is too old, `unavailable` (69) or
    ///   `noPermission` (77) if the daemon cannot be reached.
    init(socket address: String) throws(ClairoError) {
        socket = try Self.path(address)
        // The ping is the only call without a version in its path (section "Ping").
        let reply = try Self.send(HTTPRequest("GET", "http://docker/_ping"), "find the daemon", socket)
        let announced = reply.headers["Api-Version"].flatMap { text in
            text.hasPrefix("1.") ? Int(text.dropFirst(2)) : nil
        }
        guard let newest = announced, newest >= Self.versions.oldest else {
            throw .refused(
                "The Docker daemon at \(socket) supports API version \(reply.headers["Api-Version"] ?? "?")",
                exitCode: .configuration,
                advice: "Clairo needs 1.\(Self.versions.oldest), which Docker has supported since 20.10.")
        }
        version = min(newest, Self.versions.newest)
    }

    /// - Throws: `configuration` if the address is not a Unix socket.
    static func path(_ address: String) throws(ClairoError) -> String {
        let path = address.hasPrefix("unix://") ? String(address.dropFirst("unix://".count)) : address
        guard path.hasPrefix("/") else {
            throw .configuration(
                "\(MaskedURL.text(address, hidesUser: true)) is not a local Unix socket",
                advice: "Set the Docker daemon's socket, such as unix:///var/run/docker.sock, with --docker-socket.")
        }
        return path
    }

    // MARK: Calls

    func details() throws(ClairoError) -> EngineDetails {
        try decode(get("/info", "describe itself"))
    }

    /// - Returns: Nil if the image does not exist.
    func image(_ name: String) throws(ClairoError) -> ImageDetails? {
        let reply = try reply("GET", "/images/\(PercentEncoding.path(name))/json", "look for the image")
        if reply.status == 404 { return nil }
        return try decode(accepted(reply, "look for the image"))
    }

    /// - Returns: The container's id.
    func create(_ configuration: ContainerConfiguration, name: String) throws(ClairoError) -> String {
        let action = "create a container"
        let body: Data
        do {
            body = try EngineJSON.encode(configuration)
        } catch {
            throw .defect("The container's configuration cannot be encoded: \(error)")
        }
        let reply = try reply("POST", "/containers/create?name=\(PercentEncoding.component(name))", action, body: body)
        let created: CreatedContainer = try decode(accepted(reply, action))
        return created.id
    }

    func start(_ id: String) throws(ClairoError) {
        _ = try accepted(reply("POST", "/containers/\(id)/start", "start a container"), "start a container")
    }

    /// Sends SIGKILL. Succeeds if the container has already ended.
    func kill(_ id: String) throws(ClairoError) {
        let reply = try reply("POST", "/containers/\(id)/kill", "kill a container", timeout: 10)
        if reply.status != 409, reply.status != 404 { _ = try accepted(reply, "kill a container") }
    }

    /// Waits until the container has ended, for as long as the task takes.
    func wait(_ id: String, cancellation: Cancellation) throws(ClairoError) {
        let reply = try reply(
            "POST", "/containers/\(id)/wait?condition=not-running", "wait for a container", timeout: 30 * 24 * 3600,
            cancellation: cancellation)
        let _: ContainerExit = try decode(accepted(reply, "wait for a container"))
    }

    func inspect(_ id: String) throws(ClairoError) -> ContainerDetails {
        try decode(get("/containers/\(id)/json", "inspect a container"))
    }

    /// Returns the end of the container's stdout and stderr.
    func logs(_ id: String) throws(ClairoError) -> Data {
        // 64 lines, of up to 16 KiB each, normally include the 2000 bytes that are used.
        let data = try get("/containers/\(id)/logs?stdout=1&stderr=1&tail=64", "read a container's log")
        return Self.withoutHeaders(data)
    }

    /// Kills and removes the container with its volumes. Succeeds if it is already gone.
    func remove(_ id: String) throws(ClairoError) {
        let reply = try reply("DELETE", "/containers/\(id)?force=1&v=1", "remove a container")
        // 404: it no longer exists. 409: its removal is already in progress.
        if reply.status != 404, reply.status != 409 { _ = try accepted(reply, "remove a container") }
    }

    /// Returns all containers with a label, running or not.
    func containers(label: String, value: String) throws(ClairoError) -> [ListedContainer] {
        let filter = "{\"label\":[\"\(label)=\(value)\"]}"
        return try decode(
            get("/containers/json?all=1&filters=\(PercentEncoding.component(filter))", "list containers"))
    }

    // MARK: Requests

    private func get(_ path: String, _ action: String) throws(ClairoError) -> Data {
        try accepted(reply("GET", path, action), action)
    }

    private func reply(
        _ method: String, _ path: String, _ action: String, body: Data? = nil, timeout: Double = 60,
        cancellation: Cancellation? = nil
    ) throws(ClairoError) -> HTTPReply {
        var request = HTTPRequest(method, "http://docker/v1.\(version)\(path)")
        request.stallTimeout = timeout
        // libcurl may resend a request on a reused connection, and these must not be sent twice.
        request.reusesConnection = false
        if body != nil { request.headers["Content-Type"] = "application/json" }
        return try Self.send(
            request, action, socket, body: body.map { .data($0) } ?? .none, cancellation: cancellation)
    }

    private static func send(
        _ request: HTTPRequest, _ action: String, _ socket: String, body: HTTPBody = .none,
        cancellation: Cancellation? = nil
    ) throws(ClairoError) -> HTTPReply {
        var request = request
        request.unixSocket = socket
        do {
            return try client.send(request, body: body, limit: 8 << 20, cancellation: cancellation)
        } catch let error as CurlError {
            if error.category == .cancelled { throw .cancelled }
            throw unreachable(socket, action, error)
        } catch {
            throw .defect("The request to the Docker daemon to \(action) was not sent: \(error)")
        }
    }

    private static func unreachable(_ socket: String, _ action: String, _ error: CurlError) -> ClairoError {
        let message = "Cannot ask the Docker daemon at \(socket) to \(action)"
        guard error.category == .unreachable else {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, "\(message): \(error.reason)",
                advice: "Check the daemon's log (journalctl -u docker).")
        }
        if access(socket, F_OK) == 0, access(socket, R_OK | W_OK) != 0 {
            return .refused(
                "\(message): permission denied",
                advice: "Add the user to the group docker, or set another socket with --docker-socket or DOCKER_HOST.")
        }
        return ClairoError(
            kind: .capacity, exitCode: .unavailable, "\(message): it is not running",
            advice: "Start it (systemctl start docker), or set its socket with --docker-socket or DOCKER_HOST.")
    }

    /// Returns the body of a successful reply.
    private func accepted(_ reply: HTTPReply, _ action: String) throws(ClairoError) -> Data {
        if reply.head.isSuccess { return reply.body }
        let words =
            (try? EngineJSON.decode(EngineFailure.self, from: reply.body))?.message ?? "HTTP \(reply.status)"
        throw Self.refusal(status: reply.status, words, action)
    }

    /// Maps an error reply. The API has no error codes besides the status, so this matches the texts of errno(3), which
    /// have been stable for decades.
    static func refusal(status: Int, _ words: String, _ action: String) -> ClairoError {
        let message = "The Docker daemon did not \(action): \(words.prefix(1000))"
        func says(_ code: Int32) -> Bool { words.lowercased().contains(String(cString: strerror(code)).lowercased()) }
        if says(ENOSPC) || says(EDQUOT) {
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, message,
                advice: "Free space where Docker keeps its data (docker system df), and run it again.")
        }
        if says(ENOMEM) || says(EAGAIN) || says(EMFILE) || says(ENFILE) {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, message,
                advice: "Try again later, or lower --concurrency.")
        }
        if words.contains("bind source path does not exist") {
            return .refused(
                message, exitCode: .configuration,
                advice:
                    "Use --docker-folder with a folder that has the same path for this program and the daemon. In a container, mount it under its own path."
            )
        }
        if status >= 500 {
            return ClairoError(
                kind: .transient, exitCode: .temporary, message,
                advice: "Check the daemon's log (journalctl -u docker).")
        }
        return ClairoError(
            kind: .defect, exitCode: .configuration, message,
            advice: "Check with clairo doctor --executor docker, and that --docker-image is a Clairo image.")
    }

    private func decode<T: Decodable>(_ data: Data) throws(ClairoError) -> T {
        do {
            return try EngineJSON.decode(T.self, from: data)
        } catch {
            throw .defect("A reply of the Docker daemon at \(socket) cannot be parsed (\(T.self)): \(error)")
        }
    }

    /// Removes the frame headers of a log. A header has 8 bytes: the stream, three zeros and the frame's length,
    /// big-endian (section "Attach to a container", stream format).
    static func withoutHeaders(_ log: Data) -> Data {
        var text = Data()
        var rest = log[...]
        while rest.count >= 8 {
            let length = rest.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | Int($1) }
            text.append(rest.dropFirst(8).prefix(length))
            rest = rest.dropFirst(8 + length)
        }
        return text
    }
}
