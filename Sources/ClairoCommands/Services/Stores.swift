internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// Opens object stores, and sources and outputs by the names that the command line gives them.
struct Stores: Sendable {
    let environment: CommandEnvironment
    /// Ends requests that are under way, and all later ones.
    let stop: StopRequest
    /// Receives each attempt at a request to S3.
    private let observe: (@Sendable (S3Event) -> Void)?

    init(
        _ environment: CommandEnvironment, stop: StopRequest = StopRequest(),
        observe: (@Sendable (S3Event) -> Void)? = nil
    ) {
        self.environment = environment
        self.stop = stop
        self.observe = observe
    }

    /// A store by its URL, `file:DIR` or `s3://BUCKET/PREFIX`.
    func open(_ url: String) throws(ClairoError) -> any DurableStore {
        try StoreURL.open(url, environment: environment.variables, stop: stop, observe: observe)
    }

    /// The folder, or the place in a bucket, that an output goes to.
    func output(_ name: String) throws(ClairoError) -> any DurableStore {
        name.hasPrefix("s3://") ? try open(name) : DirectoryStore(root: URL(fileURLWithPath: name))
    }

    /// A source by its path or by the URL of an object.
    func source(_ name: String) async throws(ClairoError) -> any ByteSource {
        guard name.hasPrefix("s3://") else { return try FileByteSource(path: name) }
        guard let slash = name.dropFirst(5).firstIndex(of: "/"), name.index(after: slash) < name.endIndex else {
            throw .noInput("\(name) names a bucket and no object", advice: "Give s3://BUCKET/KEY.")
        }
        let store = try open(String(name[..<slash]))
        // Percent-decoded, so that URLs in our own output can be used as arguments.
        let path = String(name[name.index(after: slash)...])
        let key = ObjectKey(path.removingPercentEncoding ?? path)
        return try await onDedicatedThread(name: "open") { () throws(ClairoError) in try store.open(key) }
    }
}
