internal import CFFmpeg
internal import Synchronization

/// Random access to the bytes of an input. libav opens no file, URL or second resource on its own.
public protocol InputBytes: Sendable {
    /// Size in bytes.
    var size: Int64 { get }
    /// Reads up to `buffer.count` bytes at `offset`; 0 only at the end.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A flag that makes blocking libav calls return early (`AVERROR_EXIT`).
public final class Interrupt: Sendable {
    private let flag = Atomic<Bool>(false)
    public init() {}
    /// Ends the running blocking call and all later ones.
    public func trigger() { flag.store(true, ordering: .relaxed) }
    /// Allows calls to run again.
    public func reset() { flag.store(false, ordering: .relaxed) }
    /// Whether it was triggered.
    public var isTriggered: Bool { flag.load(ordering: .relaxed) }
}

/// A custom `AVIOContext` over `InputBytes`. An error thrown while reading is stashed and rethrown after the C call.
final class InputContext {
    private(set) var pointer: UnsafeMutablePointer<AVIOContext>?
    private let box: Box

    /// The state for the C callbacks. Only libav's calling thread accesses it, one call at a time.
    private final class Box {
        let bytes: any InputBytes
        let interrupt: Interrupt
        var position: Int64 = 0
        var stash: (any Error)?

        init(bytes: any InputBytes, interrupt: Interrupt) {
            self.bytes = bytes
            self.interrupt = interrupt
        }
    }

    init(_ bytes: any InputBytes, interrupt: Interrupt) throws(AVError) {
        box = Box(bytes: bytes, interrupt: interrupt)
        let bufferSize = 64 * 1024
        let buffer = try checkAllocated(av_malloc(bufferSize))
        let opaque = Unmanaged.passUnretained(box).toOpaque()
        pointer = avio_alloc_context(
            buffer.assumingMemoryBound(to: UInt8.self), Int32(bufferSize), 0, opaque,
            { opaque, buffer, count in
                guard let opaque, let buffer, count > 0 else { return clairo_averror_einval }
                let box = Unmanaged<Box>.fromOpaque(opaque).takeUnretainedValue()
                if box.interrupt.isTriggered { return clairo_averror_exit }
                do {
                    let target = UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
                    let read = try box.bytes.read(at: box.position, into: target)
                    box.position += Int64(read)
                    return read == 0 ? clairo_averror_eof : Int32(read)
                } catch {
                    box.stash = error
                    return clairo_averror_eio
                }
            },
            nil,
            { opaque, offset, whence in
                guard let opaque else { return Int64(clairo_averror_einval) }
                let box = Unmanaged<Box>.fromOpaque(opaque).takeUnretainedValue()
                let origin: Int64
                switch whence & ~AVSEEK_FORCE {
                case AVSEEK_SIZE: return box.bytes.size
                case SEEK_SET: origin = 0
                case SEEK_CUR: origin = box.position
                case SEEK_END: origin = box.bytes.size
                default: return Int64(clairo_averror_einval)
                }
                let (target, overflow) = origin.addingReportingOverflow(offset)
                guard !overflow, target >= 0 else { return Int64(clairo_averror_einval) }
                box.position = target
                return target
            })
        if pointer == nil {
            av_free(buffer)
            throw .outOfMemory
        }
    }

    /// Throws the error of the byte source during the last calls, if any.
    func rethrowStash() throws {
        if let error = box.stash {
            box.stash = nil
            throw error
        }
    }

    deinit {
        // libav may have replaced the buffer: free the one that the context holds now.
        if let pointer { av_free(pointer.pointee.buffer) }
        avio_context_free(&pointer)
    }
}
