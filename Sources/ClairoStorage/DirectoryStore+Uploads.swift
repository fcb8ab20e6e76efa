public import ClairoCore
public import Foundation
internal import Glibc

/// Multipart uploads. An upload is a folder `.uploads/<id>` with two files: `data` holds the bytes at their final
/// offsets, and `parts` has one line per committed part. A part is recorded after its bytes are on disk, so every
/// recorded part exists.
extension DirectoryStore {
    /// The first line of `parts`.
    private struct Header: Codable {
        var key: ObjectKey
        var partSize: Int
        /// Nil in uploads of older versions.
        var grows: Bool?

        var sizes: PartSizes { grows == true ? PartSizes(growingFrom: partSize) : PartSizes(equal: partSize) }
    }

    private func folder(_ id: String) throws(ClairoError) -> String {
        guard UUID(uuidString: id) != nil else { throw .noInput("Upload \(id) does not exist") }
        return "\(root.path)/\(Self.uploadsFolder)/\(id)"
    }

    public func beginUpload(
        at key: ObjectKey, sizes: PartSizes, sender: PartSender
    ) throws(ClairoError) -> MultipartUpload {
        _ = try path(key)
        let upload = MultipartUpload(key: key, id: UUID().uuidString.lowercased(), sizes: sizes)
        let folder = try folder(upload.id)
        try makeFolder(folder)
        try append(Data(), to: folder + "/data")
        let header = Header(key: key, partSize: sizes.first, grows: sizes.grows)
        guard let line = try? JSON.encode(header, pretty: false) else {
            throw .defect("The key \(key) cannot be encoded as JSON")
        }
        try append(line + Data("\n".utf8), to: folder + "/parts")
        return upload
    }

    public func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] {
        let ids = (FileCall.entries("\(root.path)/\(Self.uploadsFolder)") ?? []).map(\.name)
        return ids.sorted().compactMap { id in
            guard let folder = try? folder(id), let header = record(folder)?.header,
                header.key.rawValue.hasPrefix(prefix)
            else { return nil }
            return MultipartUpload(key: header.key, id: id, sizes: header.sizes)
        }
    }

    public func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        let folder = try folder(upload.id)
        guard let header = record(folder)?.header else { throw .noInput("Upload \(upload.id) does not exist") }
        guard (1...PartSizes.mostParts).contains(number), data.count <= header.sizes.size(ofPart: number) else {
            throw .defect("Part \(number) of \(data.count) bytes does not fit upload \(upload.id)")
        }
        let descriptor = FileCall.open(folder + "/data", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fileError("Cannot write \(upload.key)", errno, reading: false) }
        defer { close(descriptor) }
        let start = header.sizes.offset(ofPart: number)
        guard lseek(descriptor, off_t(start), SEEK_SET) >= 0 else {
            throw fileError("Cannot write \(upload.key)", errno, reading: false)
        }
        try Self.writeAll(data, to: descriptor, path: upload.key.rawValue)
        guard fdatasync(descriptor) == 0 else { throw fileError("Cannot write \(upload.key)", errno, reading: false) }
        let md5 = Checksum.md5(data)
        guard record(folder) != nil else { throw .noInput("Upload \(upload.id) was completed or aborted") }
        try append(Data("\(number) \(data.count) \(md5)\n".utf8), to: folder + "/parts")
        return UploadedPart(number: number, size: data.count, etag: md5, checksum: .md5(md5))
    }

    public func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] {
        guard let record = record(try folder(upload.id)) else { throw .noInput("Upload \(upload.id) does not exist") }
        return record.parts.values.sorted { $0.number < $1.number }
    }

    public func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        let folder = try folder(upload.id)
        guard let record = record(folder) else { throw .noInput("Upload \(upload.id) does not exist") }
        guard !parts.isEmpty else { throw .defect("Upload \(upload.id) has no parts") }
        for (index, part) in parts.enumerated() {
            guard part.number == index + 1, record.parts[part.number]?.etag == part.etag,
                part.size == record.header.sizes.size(ofPart: part.number) || index == parts.count - 1
            else { throw .defect("Part \(part.number) of upload \(upload.id) differs from the stored part") }
        }
        let size = parts.reduce(Int64(0)) { $0 + Int64($1.size) }
        let isThere = try info(of: upload.key)?.size == size
        if isThere, FileCall.access(folder + "/data", F_OK) != 0 {
            // An earlier run died after it had moved the object and before it removed the folder.
            remove(folder)
            if let info = try info(of: upload.key) { return info }
        }
        guard FileCall.truncate(folder + "/data", off_t(size)) == 0 else {
            throw fileError("Cannot write \(upload.key)", errno, reading: false)
        }
        let target = try path(upload.key)
        let moved = try inFolder((target as NSString).deletingLastPathComponent) {
            FileCall.rename(folder + "/data", target)
        }
        guard moved == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        Self.flushFolder(of: target)
        remove(folder)
        FileCall.rmdir("\(root.path)/\(Self.uploadsFolder)")
        guard let info = try info(of: upload.key) else {
            throw .inputOutput("\(upload.key) disappeared after it was written")
        }
        return info
    }

    public func abort(_ upload: MultipartUpload) throws(ClairoError) {
        guard let folder = try? folder(upload.id) else { return }
        remove(folder)
        FileCall.rmdir("\(root.path)/\(Self.uploadsFolder)")
    }

    /// Removes an upload's folder.
    private func remove(_ folder: String) {
        for name in ["data", "parts"] { FileCall.unlink("\(folder)/\(name)") }
        FileCall.rmdir(folder)
    }

    /// Deletes the folders of uploads that have no record.
    func removeUnrecordedUploads(notAfter latest: Timestamp, isDryRun: Bool) -> StoreUsage {
        var usage = StoreUsage()
        for id in (FileCall.entries("\(root.path)/\(Self.uploadsFolder)") ?? []).map(\.name) {
            guard let folder = try? folder(id), record(folder) == nil, let modified = Self.file(folder)?.modified,
                modified <= latest
            else { continue }
            usage.add(bytes: Self.file(folder + "/data")?.size ?? 0)
            if !isDryRun { remove(folder) }
        }
        return usage
    }

    /// Returns the content of `parts`, or nil if the upload does not exist. A line truncated by a crash is ignored.
    private func record(_ folder: String) -> (header: Header, parts: [Int: UploadedPart])? {
        guard let data = SystemFile.contents(folder + "/parts") else { return nil }
        var lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // The text after the last line break is empty or an incomplete line.
        lines.removeLast()
        guard let first = lines.first, let header = try? JSONDecoder().decode(Header.self, from: Data(first)) else {
            return nil
        }
        var parts: [Int: UploadedPart] = [:]
        for line in lines.dropFirst() {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            guard fields.count == 3, let number = Int(fields[0]), let size = Int(fields[1]) else { continue }
            parts[number] = UploadedPart(number: number, size: size, etag: fields[2], checksum: .md5(fields[2]))
        }
        return (header, parts)
    }

    private func append(_ data: Data, to path: String) throws(ClairoError) {
        let descriptor = FileCall.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fileError("Cannot write \(path)", errno, reading: false) }
        defer { close(descriptor) }
        try Self.writeAll(data, to: descriptor, path: path)
        guard fdatasync(descriptor) == 0 else { throw fileError("Cannot write \(path)", errno, reading: false) }
    }
}
