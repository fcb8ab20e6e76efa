internal import Foundation
internal import Glibc

/// The room on the disks that a process writes to.
public enum DiskMetrics {
    private static let free = MetricFamily.gauge(
        "clairo_disk_free_bytes", "Bytes that may still be written to the disk of a folder", labels: ["folder"])
    private static let size = MetricFamily.gauge(
        "clairo_disk_size_bytes", "Size of the disk of a folder in bytes", labels: ["folder"])

    public struct Folder: Sendable, Hashable {
        /// From a closed set, such as `data`.
        public var label: String
        public var path: String

        public init(label: String, path: String) {
            self.label = label
            self.path = path
        }
    }

    /// Adds each disk once, under the first of its folders. A folder that is not there yet will be on its parent's disk.
    public static func write(_ folders: [Folder], to page: inout Exposition) {
        var seen: Set<UInt64> = []
        for folder in folders {
            var path = folder.path
            var status = stat()
            while stat(path, &status) != 0, path.contains("/"), path != "/" {
                path = (path as NSString).deletingLastPathComponent
            }
            var disk = statvfs()
            guard statvfs(path, &disk) == 0, seen.insert(UInt64(status.st_dev)).inserted else { continue }
            // What root keeps for itself is not free (statvfs(3)).
            page.add(free, [.init(Double(disk.f_bavail) * Double(disk.f_frsize), folder.label)])
            page.add(size, [.init(Double(disk.f_blocks) * Double(disk.f_frsize), folder.label)])
        }
    }
}
