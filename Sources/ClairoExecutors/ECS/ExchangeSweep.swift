public import ClairoCore

/// Removes what workers that died have left of what they exchanged with tasks on ECS.
public struct ExchangeSweep: Sendable {
    private let store: any ObjectStore
    private let age: Double

    /// - Parameters:
    ///   - store: the exchange of all workers. What is not an exchange in there stays.
    ///   - olderThanSeconds: younger ones stay, and in any case those of attempts that may be at work: they change all the time.
    public init(_ store: any ObjectStore, olderThanSeconds: Double) {
        self.store = store
        age = max(olderThanSeconds, 2 * Exchange.leaseSeconds)
    }

    /// One round over everything. Blocks.
    /// - Parameter remove: is given each object to remove.
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

    /// The name of the exchange that an object is of, as `Exchange` makes them: `TASK-ATTEMPT-UUID/DOCUMENT`.
    private static func folder(of key: ObjectKey) -> Substring? {
        let parts = key.rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, Exchange.documents.contains(ObjectKey(String(parts[1]))) else { return nil }
        let isName = parts[0].wholeMatch(of: /[A-Za-z0-9_-]+-[0-9]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil
        return isName ? parts[0] : nil
    }
}
