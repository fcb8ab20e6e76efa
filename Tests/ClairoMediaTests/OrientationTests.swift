import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct OrientationTests {
    /// The first two columns of a display matrix, in units of 1.0: the directions of the frame's x axis (a, b) and y
    /// axis (c, d) on the screen, with y downwards (ISO/IEC 14496-12, 6.2.2).
    private static func matrix(_ a: Int32, _ b: Int32, _ c: Int32, _ d: Int32, unit: Int32 = 65_536) -> [Int32] {
        [a * unit, b * unit, 0, c * unit, d * unit, 0, 0, 0, 1 << 30]
    }

    @Test(
        arguments: [
            ([1, 0, 0, 1], 0, false), ([0, 1, -1, 0], 90, false), ([-1, 0, 0, -1], 180, false),
            ([0, -1, 1, 0], 270, false),
            // Left and right swapped, then the same with rotations. The last but one is a frame flipped vertically.
            ([-1, 0, 0, 1], 0, true), ([0, -1, -1, 0], 90, true), ([1, 0, 0, -1], 180, true),
            ([0, 1, 1, 0], 270, true),
        ] as [([Int32], Int, Bool)])
    func matrixIsOneOfEightOrientations(axes: [Int32], rotation: Int, isMirrored: Bool) {
        let orientation = Orientation(displayMatrix: Self.matrix(axes[0], axes[1], axes[2], axes[3]))
        #expect(orientation == Orientation(rotation: rotation, isMirrored: isMirrored))
        #expect(orientation.swapsSides == (rotation % 180 == 90))
        // A scaled matrix has the same orientation.
        #expect(
            Orientation(displayMatrix: Self.matrix(axes[0], axes[1], axes[2], axes[3], unit: 20_000)) == orientation)
    }

    /// Mirroring left to right and then rotating clockwise, as documented, must reproduce the matrix.
    @Test(arguments: [0, 90, 180, 270], [false, true])
    func orientationDescribesItsMatrix(rotation: Int, isMirrored: Bool) {
        let axesByRotation: [Int: [Int32]] = [
            0: [1, 0, 0, 1], 90: [0, 1, -1, 0], 180: [-1, 0, 0, -1], 270: [0, -1, 1, 0],
        ]
        let axes = axesByRotation[rotation] ?? []
        let sign: Int32 = isMirrored ? -1 : 1
        let orientation = Orientation(displayMatrix: Self.matrix(sign * axes[0], sign * axes[1], axes[2], axes[3]))
        #expect(orientation == Orientation(rotation: rotation, isMirrored: isMirrored))
    }

    @Test func aSlantedMatrixBecomesTheNearestOrientation() {
        #expect(Orientation(displayMatrix: [60_000, 26_000, 0, -26_000, 60_000, 0, 0, 0, 1 << 30]) == .upright)
        #expect(Orientation(displayMatrix: [26_000, 60_000, 0, -60_000, 26_000, 0, 0, 0, 1 << 30]).rotation == 90)
    }

    @Test(
        arguments: [
            nil, [], Array(repeating: 0, count: 9), Array(repeating: 1, count: 8), Array(repeating: .min, count: 9),
            [.min, 0, 0, 0, .max, 0, 0, 0, 0], [0, 0, 0, 65_536, 65_536, 0, 0, 0, 0],
        ] as [[Int32]?])
    func anInvalidMatrixGivesSomeOrientationAndDoesNotTrap(matrix: [Int32]?) {
        #expect([0, 90, 180, 270].contains(Orientation(displayMatrix: matrix).rotation))
    }

    @Test func missingOrEmptyMatrixIsUpright() {
        for matrix in [nil, [], Array(repeating: 0, count: 9), Array(repeating: 1, count: 8)] as [[Int32]?] {
            #expect(Orientation(displayMatrix: matrix) == .upright)
        }
    }
}
