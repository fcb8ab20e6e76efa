import Foundation

extension Data {
    /// A damaged copy: bytes changed, the end cut off, a piece removed, or a piece repeated.
    func mutated(using generator: inout some RandomNumberGenerator) -> Data {
        var copy = Data(self)
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !copy.isEmpty {
            let position = Int.random(in: copy.indices, using: &generator)
            let end = Swift.min(position + Int.random(in: 1...16, using: &generator), copy.count)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: copy = copy.prefix(position)
            case 1: copy.removeSubrange(position..<end)
            case 2: copy.insert(contentsOf: copy.subdata(in: position..<end), at: position)
            // Very large and zero values are the most harmful in lengths and counts.
            case 3: copy[position] = 0xFF
            case 4: copy[position] = 0
            default: copy[position] = UInt8.random(in: 0...255, using: &generator)
            }
            copy = Data(copy)
        }
        return copy
    }
}
