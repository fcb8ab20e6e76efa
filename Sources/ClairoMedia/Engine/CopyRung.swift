internal import ClairoCore
internal import Foundation
internal import Libav

/// Puts a source that already is what a rung asks for into the ladder without encoding it.
enum CopyRung {
    static func writeMissing(
        plan: Plan, video: VideoPlan, missing: [Int: Set<Int>], source: any ByteSource, limits: InputLimits,
        store: any ObjectStore, control: JobControl
    ) throws {
    }
}
