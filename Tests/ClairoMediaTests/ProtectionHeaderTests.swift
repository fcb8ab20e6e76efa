import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

/// Where the slice data of H.264 begins, with headers that these tests write field by field (ITU-T H.264, 7.3).
@Suite struct ProtectionHeaderTests {
    /// Writes bits, and at the end the bytes that keep start codes out of a unit.
    private struct Bits {
        private(set) var bits: [Bool] = []

        func u(_ value: Int, _ count: Int) -> Bits {
            var result = self
            result.bits += (0..<count).reversed().map { value >> $0 & 1 == 1 }
            return result
        }

        func ue(_ values: Int...) -> Bits {
            values.reduce(self) { result, value in
                let length = Int.bitWidth - (value + 1).leadingZeroBitCount
                return result.u(0, length - 1).u(value + 1, length)
            }
        }

        func se(_ values: Int...) -> Bits {
            values.reduce(self) { $0.ue($1 > 0 ? 2 * $1 - 1 : -2 * $1) }
        }

        /// Filled up with ones, which slice data may begin with.
        var unit: Data {
            let padded = bits + [Bool](repeating: true, count: (8 - bits.count % 8) % 8)
            var unit = Data()
            for start in stride(from: 0, to: padded.count, by: 8) {
                let byte = padded[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
                if unit.suffix(2) == Data([0, 0]), byte <= 3 { unit.append(3) }
                unit.append(byte)
            }
            return unit
        }
    }

    private static func lengthAndBytes(_ unit: Data, _ size: Int) -> Data {
        Data((0..<size).reversed().map { UInt8(truncatingIfNeeded: unit.count >> (8 * $0)) }) + unit
    }

    /// The configuration of Main profile in frames, with 16 bits of `frame_num` and order type 2.
    private static func configuration(isWeighted: Bool = false) -> Data {
        let sequence = Bits().u(0x67, 8).u(77, 8).u(0x00_1E, 16).ue(0, 12, 2, 4).u(0, 1).ue(3, 2)
            .u(1, 1).u(0b110, 3).u(1, 1)
        let picture = Bits().u(0x68, 8).ue(0, 0).u(1, 1).u(0, 1).ue(0, 1, 0).u(isWeighted ? 1 : 0, 1).u(0, 2).se(
            0, 0, 0
        )
        .u(0b100, 3).u(1, 1)
        return Data([1, 77, 0, 30, 0xFF, 0xE1]) + lengthAndBytes(sequence.unit, 2) + [1]
            + lengthAndBytes(picture.unit, 2)
    }

    /// The encrypted ranges of a sample of one unit, which is a header and 100 bytes.
    private static func ranges(_ header: Bits, isWeighted: Bool = false) throws -> [Range<Int>] {
        let sample = lengthAndBytes(header.unit + Data(repeating: 0xAA, count: 100), 4)
        let protection = try ProtectionH264(configuration: configuration(isWeighted: isWeighted))
        return try #require(try protection.ranges([sample]).first)
    }

    private static func expected(_ header: Bits) -> [Range<Int>] {
        [4 + header.unit.count..<4 + header.unit.count + 100]
    }

    @Test func theHeaderOfAKeyFrameStaysClear() throws {
        let header = Bits().u(0x65, 8).ue(0, 7, 0).u(0, 16).ue(1).u(0, 2).se(-3).ue(0).se(1, -1)
        #expect(try Self.ranges(header) == Self.expected(header))
    }

    /// The 16 bits of `frame_num` are zeros, so the unit has a byte that is not part of the header's fields.
    @Test func bytesAgainstStartCodesCount() throws {
        let header = Bits().u(0x65, 8).ue(0, 7, 0).u(0, 16).ue(0xFFFF).u(0, 2).se(0).ue(1)
        #expect(header.unit.count > (header.bits.count + 7) / 8)
        #expect(try Self.ranges(header) == Self.expected(header))
    }

    @Test func listsWeightsAndMarkingBelongToTheHeader() throws {
        let lists = Bits().u(0x61, 8).ue(0, 5, 0).u(9, 16).u(1, 1).ue(1).u(1, 1).ue(0, 4, 2, 1, 3)
        // One reference has weights of luma, the other of chroma.
        let weights = lists.ue(5, 5).u(1, 1).se(20, -7).u(0, 1).u(0, 1).u(1, 1).se(1, 2, 3, 4)
        let header = weights.u(1, 1).ue(1, 6, 3, 2, 1, 0).ue(2).se(5).ue(0).se(0, 0)
        #expect(try Self.ranges(header, isWeighted: true) == Self.expected(header))
    }

    @Test func aBidirectionalSliceHasTwoLists() throws {
        let header = Bits().u(0x01, 8).ue(0, 6, 0).u(9, 16).u(1, 1).u(1, 1).ue(2, 1).u(0, 1).u(1, 1).ue(1, 7, 3).ue(0)
            .se(2)
            .ue(1)
        #expect(try Self.ranges(header) == Self.expected(header))
    }

    /// Slices of other views and of auxiliary pictures would be stored in clear.
    @Test(arguments: [2, 19, 20, 21]) func slicesThatCannotBeReadAreRefused(type: Int) {
        let error = #expect(throws: ClairoError.self) { try Self.ranges(Bits().u(0x60 | type, 8).ue(0, 7, 0)) }
        #expect(error?.exitCode == .badMedia)
    }

    @Test func aHeaderThatEndsEarlyIsAnError() throws {
        let protection = try ProtectionH264(configuration: Self.configuration())
        for sample in [Data([0, 0, 0, 1, 0x65]), Data([0, 0, 0, 9, 0x65, 0x88]), Data([0, 0, 0, 0])] {
            #expect(throws: ClairoError.self) { try protection.ranges([sample]) }
        }
    }
}
