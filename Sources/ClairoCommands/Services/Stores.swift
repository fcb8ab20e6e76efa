internal import AWSSigning
internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// Opens object stores, and sources and outputs by their names on the command line.
struct Stores: Sendable {
    let environment: CommandEnvironment
    /// Cancels running requests and all later ones.
    let stop: StopRequest
    /// Receives each attempt of an S3 request.
    private let observe: (@Sendable (S3Event) -> Void)?

    init(
        _ environment: CommandEnvironment, stop: StopRequest = StopRequest(),
        observe: (@Sendable (S3Event) -> Void)? = nil
    ) {
        self.environment = environment
        self.stop = stop
        self.observe = observe
    }

    /// Opens a store by its URL, `file:DIR` or `s3://BUCKET/PREFIX`.
    /// - Parameters:
    ///   - delivery: How S3 delivers the objects of an output; nil for a store of other objects.
    ///   - credentials: Returns the credentials for S3, before the last ones expire; nil for those of the environment.
    func open(
        _ url: String, delivery: ObjectDelivery? = nil, credentials: (@Sendable () -> AWSCredentials?)? = nil
    ) throws(ClairoError) -> any DurableStore {
        try StoreURL.open(
            url, environment: environment.variables, delivery: delivery, stop: stop, credentials: credentials,
            observe: observe)
    }

    /// Opens the folder or the bucket prefix for an output.
    /// - Parameter delivery: How S3 delivers what is written; nil if nothing is.
    func output(_ name: String, delivery: ObjectDelivery? = nil) throws(ClairoError) -> any DurableStore {
        StoreURL.isS3(name) ? try open(name, delivery: delivery) : DirectoryStore(path: name)
    }

    /// Opens a source by its path or by the URL of an object.
    func source(_ name: String) async throws(ClairoError) -> any ByteSource {
        guard StoreURL.isS3(name) else { return try FileByteSource(path: name) }
        guard let slash = name.dropFirst(StoreURL.bucket("").count).firstIndex(of: "/"),
            name.index(after: slash) < name.endIndex
        else {
            throw .noInput("\(name) names a bucket and no object", advice: "Give s3://BUCKET/KEY.")
        }
        let store = try open(String(name[..<slash]))
        // Percent-decoded, so that URLs in Clairo's output can be used as arguments.
        let path = String(name[name.index(after: slash)...])
        let key = ObjectKey(path.removingPercentEncoding ?? path)
        return try await onDedicatedThread(name: "open") { () throws(ClairoError) in try store.open(key) }
    }
}
