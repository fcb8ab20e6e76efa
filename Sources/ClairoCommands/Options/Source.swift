internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// A source by its name: a path, or the URL of an object.
enum Source {
    static func open(
        _ name: String, _ environment: CommandEnvironment, stop: StopRequest
    ) async throws(ClairoError) -> any ByteSource {
        guard name.hasPrefix("s3://") else { return try FileByteSource(path: name) }
        guard let slash = name.dropFirst(5).firstIndex(of: "/"), name.index(after: slash) < name.endIndex else {
            throw .noInput("\(name) names a bucket and no object", advice: "Give s3://BUCKET/KEY.")
        }
        let store = try StoreURL.open(
            String(name[..<slash]), environment: environment.variables, stop: stop)
        // Decoded, so that the URLs that we print can be given back.
        let path = String(name[name.index(after: slash)...])
        let key = ObjectKey(path.removingPercentEncoding ?? path)
        do {
            return try await onDedicatedThread(name: "open") { try store.open(key) }
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Opening \(name): \(error)")
        }
    }
}
