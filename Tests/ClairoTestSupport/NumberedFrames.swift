internal import Foundation

/// The frames of a clip that show their number: the lower half of a frame is 16 vertical bars, bit 0 leftmost, and a
/// light bar is 1. The upper half is white while the clip beeps.
public struct NumberedFrames: Sendable {
    /// The number that each frame shows.
    public var numbers: [Int]
    /// Whether the upper half of each frame is white.
    public var isBright: [Bool]

    /// Decodes the first video stream of a file with Debian's ffmpeg.
    public init(_ path: String) async throws {
        let side = 16
        let pixels = [UInt8](
            try await Oracle.frames(path, filter: "scale=\(side):\(side):flags=area", format: "gray"))
        numbers = []
        isBright = []
        // Only the middle of each half: scaling and compression blur the edges.
        for start in stride(from: 0, to: pixels.count - side * side + 1, by: side * side) {
            let row = start + 11 * side
            numbers.append((0..<side).reduce(0) { pixels[row + $1] > 128 ? $0 | 1 << $1 : $0 })
            isBright.append(pixels[start + 4 * side + side / 2] > 128)
        }
    }

    /// The numbers in the order in which they are shown, each once while it stays.
    public var shown: [Int] {
        numbers.enumerated().filter { $0.offset == 0 || numbers[$0.offset - 1] != $0.element }.map(\.element)
    }

    /// The indexes of the dark frames that follow a bright one. Ends are compared, because a bright frame that is held
    /// until the video begins does not move them.
    public var endsOfFlashes: [Int] {
        isBright.indices.dropFirst().filter { isBright[$0 - 1] && !isBright[$0] }
    }
}
