import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoExecutors

@Suite struct TaskPermissionsTests {
    private func allowed(_ work: TaskSpec.Work, _ operation: RequestHead.Operation, _ key: ObjectKey?) -> Bool {
        TaskPermissions(work).allow(RequestHead(operation: operation, key: key))
    }

    @Test func aProbeTaskMayNotWrite() {
        for work in [TaskSpec.Work.probe(name: "x"), .inspect(name: "x")] {
            #expect(allowed(work, .source, nil))
            for operation in [RequestHead.Operation.get, .put, .list, .info, .delete] {
                #expect(!allowed(work, operation, "clairo.json"))
            }
        }
    }

    @Test func aVerifyTaskMayNotWrite() {
        for operation in [RequestHead.Operation.get, .open, .info, .list] {
            #expect(allowed(.verify, operation, "clairo.json"))
        }
        for operation in [RequestHead.Operation.put, .beginPut, .delete] {
            #expect(!allowed(.verify, operation, "clairo.json"))
        }
    }

    @Test func anInteractiveJobMayAccessOnlyFilesOfAnOutput() {
        let work = TaskSpec.Work.transcode(
            TaskSpec.TranscodeRequest(
                source: SourceFingerprint(name: "x", size: 1, identity: ""), settings: TranscodeSettings(),
                resources: TranscodeResources()))
        for key in ["clairo.json", "video/720p/00001.m4s", "audio/eng-128k/init.mp4", "mp4/720p.mp4", "poster.jpg"] {
            #expect(allowed(work, .put, ObjectKey(key)), "\(key)")
        }
        for key in [".bashrc", ".ssh/authorized_keys", "video", "thesis.odt", "videos/x.mp4"] {
            for operation in [RequestHead.Operation.put, .beginPut, .get, .open, .info, .delete] {
                #expect(!allowed(work, operation, ObjectKey(key)), "\(key)")
            }
        }
        // The task checks whether the folder contains foreign files.
        #expect(allowed(work, .list, "thesis.odt") && allowed(work, .writePut, nil))
    }
}
