internal import Foundation
internal import Glibc

/// Free space on the disks that a process writes to.
public enum DiskMetrics {
    private static let free = MetricFamily.gauge(
        "clairo_disk_free_bytes", "Free bytes on the disk of a folder", labels: ["folder"])
    private static let size = MetricFamily.gauge(
        "clairo_disk_size_bytes", "Size of the disk of a folder in bytes", labels: ["folder"])

    /// A folder whose disk is watched.
    public struct Folder: Sendable, Hashable {
        /// The value of the label `folder`: a fixed name, such as `data`.
        public var label: String
        /// Path of the folder.
        public var path: String

        public init(label: String, path: String) {
            self.label = label
            self.path = path
        }
    }

    /// Adds each disk once, under the label of its first folder. For a folder that does not exist yet, uses the disk of
    /// its nearest existing parent.
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
            // `f_bavail` excludes the blocks that are reserved for root (statvfs(3)).
            page.add(free, [.init(Double(disk.f_bavail) * Double(disk.f_frsize), folder.label)])
            page.add(size, [.init(Double(disk.f_blocks) * Double(disk.f_frsize), folder.label)])
        }
    }
}
