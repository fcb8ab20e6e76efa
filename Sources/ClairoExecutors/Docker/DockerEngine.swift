internal import ClairoCore
internal import Curl
internal import Foundation
internal import Glibc

/// The Docker Engine API, as far as tasks need it, on the daemon's unix socket. Calls block.
///
/// A failure says whose it is: a daemon that is away, busy or without room is `capacity` or `transient`, and has nothing to do
/// with the task; a refusal of what we asked for is `defect`.
struct DockerEngine: Sendable {
    /// Of the daemon.
    let socket: String

    private static let client = HTTPClient()
    /// The oldest that has all we ask for (Docker 20.10), and the newest that is known to have it as we ask for it.
    private static let versions = (oldest: 41, newest: 44)

    /// The number behind the point of the API's version 1.x that both speak.
    private let version: Int

    /// - Parameter socket: its path, or a `unix://` URL as in DOCKER_HOST.
    /// - Throws: `configuration` (78) for an address that is not on this machine, `unavailable` (69) or `noPermission` (77)
    ///   where the daemon is not to be reached.
    init(socket address: String) throws(ClairoError) {
        socket = try Self.path(address)
        // The ping is the one call without a version (section "Ping").
        let reply = try Self.send(HTTPRequest("GET", "http://docker/_ping"), "find the daemon", socket)
        let announced = reply.headers["Api-Version"].flatMap { text in
            text.hasPrefix("1.") ? Int(text.dropFirst(2)) : nil
        }
        guard let newest = announced, newest >= Self.versions.oldest else {
            throw .configuration(
                "The Docker daemon at \(socket) speaks version \(reply.headers["Api-Version"] ?? "?") of its API",
                advice: "Clairo needs 1.\(Self.versions.oldest), which Docker has had since 20.10.")
        }
        version = min(newest, Self.versions.newest)
    }

    /// - Throws: `configuration` for anything but a unix socket.
    static func path(_ address: String) throws(ClairoError) -> String {
        let path = address.hasPrefix("unix://") ? String(address.dropFirst("unix://".count)) : address
        guard path.hasPrefix("/") else {
            throw .configuration(
                "\(MaskedURL.text(address, hidesUser: true)) is not a unix socket of this machine",
                advice: "Name the Docker daemon's socket, such as unix:///var/run/docker.sock, with --docker-socket.")
        }
        return path
    }

    // MARK: Calls

    func details() throws(ClairoError) -> EngineDetails {
        try decode(get("/info", "ask the daemon about itself"))
    }

    /// - Returns: nil where there is no such image.
    func image(_ name: String) throws(ClairoError) -> ImageDetails? {
        let reply = try reply("GET", "/images/\(Self.encoded(name))/json", "look for the image")
        if reply.status == 404 { return nil }
        return try decode(accepted(reply, "look for the image"))
    }

    /// - Returns: its id.
    func create(_ configuration: ContainerConfiguration, name: String) throws(ClairoError) -> String {
        let action = "make a container"
        let body: Data
        do {
            body = try EngineJSON.encode(configuration)
        } catch {
            throw .defect("A container's configuration cannot be written: \(error)")
        }
        let reply = try reply("POST", "/containers/create?name=\(Self.encoded(name))", action, body: body)
        let created: CreatedContainer = try decode(accepted(reply, action))
        return created.id
    }

    func start(_ id: String) throws(ClairoError) {
        _ = try accepted(reply("POST", "/containers/\(id)/start", "start a container"), "start a container")
    }

    /// Ends it with SIGKILL; one that has ended already is as good.
    func kill(_ id: String) throws(ClairoError) {
        let reply = try reply("POST", "/containers/\(id)/kill", "end a container", timeout: 10)
        if reply.status != 409, reply.status != 404 { _ = try accepted(reply, "end a container") }
    }

    /// Waits until it does not run, which may take as long as the task.
    func wait(_ id: String, cancellation: Cancellation) throws(ClairoError) {
        let reply = try reply(
            "POST", "/containers/\(id)/wait?condition=not-running", "wait for a container", timeout: 30 * 24 * 3600,
            cancellation: cancellation)
        let _: ContainerExit = try decode(accepted(reply, "wait for a container"))
    }

    func inspect(_ id: String) throws(ClairoError) -> ContainerDetails {
        try decode(get("/containers/\(id)/json", "look at a container"))
    }

    /// The end of what it wrote to stdout and stderr.
    func logs(_ id: String) throws(ClairoError) -> Data {
        // In pieces of 16 KiB at most: more than the two thousand bytes that are wanted of them.
        let data = try get("/containers/\(id)/logs?stdout=1&stderr=1&tail=64", "read a container's log")
        return Self.withoutHeaders(data)
    }

    /// Ends it if it runs, and removes it with its volumes; one that is gone already is as good.
    func remove(_ id: String) throws(ClairoError) {
        let reply = try reply("DELETE", "/containers/\(id)?force=1&v=1", "remove a container")
        // 409: somebody else is at it.
        if reply.status != 404, reply.status != 409 { _ = try accepted(reply, "remove a container") }
    }

    /// All that have a label, running or not.
    func containers(label: String, value: String) throws(ClairoError) -> [ListedContainer] {
        let filter = "{\"label\":[\"\(label)=\(value)\"]}"
        return try decode(
            get("/containers/json?all=1&filters=\(Self.encoded(filter))", "look for containers"))
    }

    // MARK: How it is said

    private func get(_ path: String, _ action: String) throws(ClairoError) -> Data {
        try accepted(reply("GET", path, action), action)
    }

    private func reply(
        _ method: String, _ path: String, _ action: String, body: Data? = nil, timeout: Double = 60,
        cancellation: Cancellation? = nil
    ) throws(ClairoError) -> HTTPReply {
        var request = HTTPRequest(method, "http://docker/v1.\(version)\(path)")
        request.stallTimeout = timeout
        // What is said once must not be said twice.
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
            throw .defect("The Docker daemon was not asked to \(action): \(error)")
        }
    }

    private static func unreachable(_ socket: String, _ action: String, _ error: CurlError) -> ClairoError {
        let message = "The Docker daemon at \(socket) cannot be asked to \(action)"
        guard error.category == .unreachable else {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, "\(message): \(error.reason)",
                advice: "See what it says (journalctl -u docker).")
        }
        if access(socket, F_OK) == 0, access(socket, R_OK | W_OK) != 0 {
            return ClairoError(
                kind: .capacity, exitCode: .noPermission, "\(message): this user may not",
                advice: "Add the user to the group docker, or name another socket with --docker-socket or DOCKER_HOST.")
        }
        return ClairoError(
            kind: .capacity, exitCode: .unavailable, "\(message): it is not running there",
            advice: "Start it (systemctl start docker), or name its socket with --docker-socket or DOCKER_HOST.")
    }

    /// The body of a reply that says yes.
    private func accepted(_ reply: HTTPReply, _ action: String) throws(ClairoError) -> Data {
        if reply.head.isSuccess { return reply.body }
        let words =
            (try? EngineJSON.decode(EngineFailure.self, from: reply.body))?.message ?? "it answered \(reply.status)"
        throw Self.refusal(status: reply.status, words, action)
    }

    /// The API has no codes for what went wrong beyond a status; its words are the kernel's (errno(3)), which have been the same
    /// for decades.
    static func refusal(status: Int, _ words: String, _ action: String) -> ClairoError {
        let message = "The Docker daemon did not \(action): \(words.prefix(1000))"
        func says(_ code: Int32) -> Bool { words.lowercased().contains(String(cString: strerror(code)).lowercased()) }
        if says(ENOSPC) || says(EDQUOT) {
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, message,
                advice: "Make room where Docker keeps its data (docker system df), and run it again.")
        }
        if says(ENOMEM) || says(EAGAIN) || says(EMFILE) || says(ENFILE) {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, message,
                advice: "Try again later or give a smaller --concurrency.")
        }
        if words.contains("bind source path does not exist") {
            return ClairoError(
                kind: .capacity, exitCode: .configuration, message,
                advice:
                    "Give a folder with --docker-folder that is the same for this program and for the daemon: in a container, one that is mounted under its own name."
            )
        }
        if status >= 500 {
            return ClairoError(
                kind: .transient, exitCode: .temporary, message, advice: "See what it says (journalctl -u docker).")
        }
        return ClairoError(
            kind: .defect, exitCode: .configuration, message,
            advice: "Check with clairo doctor --executor docker, and that --docker-image is an image of Clairo.")
    }

    private func decode<T: Decodable>(_ data: Data) throws(ClairoError) -> T {
        do {
            return try EngineJSON.decode(T.self, from: data)
        } catch {
            throw .defect("An answer of the Docker daemon at \(socket) cannot be read (\(T.self)): \(error)")
        }
    }

    /// A log is a row of pieces, each behind its stream, three zeros and its length, big-endian (section "Attach to a container",
    /// stream format).
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

    private static func encoded(_ text: String) -> String {
        var allowed = CharacterSet(charactersIn: "a"..."z")
        allowed.formUnion(CharacterSet(charactersIn: "A"..."Z"))
        allowed.formUnion(CharacterSet(charactersIn: "0"..."9"))
        // An image's name has slashes, colons and an at sign of its own, which the API takes as they are.
        allowed.insert(charactersIn: "-._~/:@")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }
}
