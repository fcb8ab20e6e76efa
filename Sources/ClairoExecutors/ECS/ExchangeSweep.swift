public import ClairoCore

/// Removes the exchange folders that dead workers left.
public struct ExchangeSweep: Sendable {
    private let store: any ObjectStore
    private let age: Double

    /// - Parameters:
    ///   - store: The exchange store of all workers. Other objects in it are kept.
    ///   - olderThanSeconds: Folders with a younger object are kept. Those of running attempts change constantly.
    public init(_ store: any ObjectStore, olderThanSeconds: Double) {
        self.store = store
        age = max(olderThanSeconds, 2 * Exchange.leaseSeconds)
    }

    /// Runs one pass. Blocks.
    /// - Parameter remove: Called for each object to remove.
    public func run(remove: (ObjectInfo) throws(ClairoError) -> Void) throws(ClairoError) {
        var folder: (name: Substring, objects: [ObjectInfo])?
        for key in try store.list(prefix: "") {
            guard let name = Self.folder(of: key), let object = try store.info(of: key) else { continue }
            if folder?.name == name {
                folder?.objects.append(object)
            } else {
                try end(folder?.objects ?? [], remove)
                folder = (name, [object])
            }
        }
        try end(folder?.objects ?? [], remove)
    }

    private func end(
        _ objects: [ObjectInfo], _ remove: (ObjectInfo) throws(ClairoError) -> Void
    ) throws(ClairoError) {
        let now = Timestamp.now
        guard objects.allSatisfy({ now.seconds(since: $0.modified) >= age }) else { return }
        for object in objects { try remove(object) }
    }

    /// Returns the exchange folder of an object, or nil if it is not in one. Exchange documents have keys of the form
    /// `TASK-ATTEMPT-UUID/DOCUMENT`.
    private static func folder(of key: ObjectKey) -> Substring? {
        let parts = key.rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, Exchange.documents.contains(ObjectKey(String(parts[1]))) else { return nil }
        let isName = parts[0].wholeMatch(of: /[A-Za-z0-9_-]+-[0-9]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil
        return isName ? parts[0] : nil
    }
}
