import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoExecutors

/// Requests to the Docker Engine and its replies, without an engine.
@Suite struct DockerEngineTests {
    @Test(arguments: [
        ("/var/run/docker.sock", "/var/run/docker.sock"), ("unix:///run/user/7/docker.sock", "/run/user/7/docker.sock"),
    ])
    func aSocketIsAPathOrAURL(address: String, path: String) throws {
        #expect(try DockerEngine.path(address) == path)
    }

    @Test(arguments: ["tcp://127.0.0.1:2375", "ssh://me@host", "npipe:////./pipe/docker", "unix://", "docker.sock", ""])
    func onlyAUnixSocketIsAccepted(address: String) throws {
        let error = #expect(throws: ClairoError.self) { try DockerEngine.path(address) }
        #expect(error?.exitCode == .configuration && error?.advice?.contains("unix:///var/run/docker.sock") == true)
    }

    /// Names are those of the API; keys of dictionaries are unchanged.
    @Test func aConfigurationIsEncodedWithTheNamesOfTheAPI() throws {
        let configuration = ContainerConfiguration(
            image: "clairo", cmd: ["run-task"], labels: ["clairo.task": "x"], user: "65534:65534",
            hostConfig: HostConfiguration(
                memory: 1, memorySwap: 2, nanoCpus: 3, pidsLimit: 4, ulimits: [.init(name: "core", soft: 0, hard: 0)],
                tmpfs: ["/tmp": "rw"], mounts: [.init(source: "/a", target: "/work")]))
        let text = String(decoding: try EngineJSON.encode(configuration), as: UTF8.self)
        #expect(
            text == """
                {"Cmd":["run-task"],"Healthcheck":{"Test":["NONE"]},"HostConfig":{"CapDrop":["ALL"],"IpcMode":"none",\
                "LogConfig":{"Config":{"max-file":"2","max-size":"256k"},"Type":"json-file"},"Memory":1,"MemorySwap":2,\
                "Mounts":[{"BindOptions":{"Propagation":"rprivate"},"ReadOnly":true,"Source":"/a","Target":"/work",\
                "Type":"bind"}],"NanoCpus":3,"NetworkMode":"none","OomScoreAdj":1000,"PidsLimit":4,"ReadonlyRootfs":true,\
                "SecurityOpt":["no-new-privileges"],"Tmpfs":{"/tmp":"rw"},\
                "Ulimits":[{"Hard":0,"Name":"core","Soft":0}]},"Hostname":"clairo","Image":"clairo",\
                "Labels":{"clairo.task":"x"},"User":"65534:65534","WorkingDir":"/"}
                """)
    }

    @Test func repliesAreDecodedWithTheNamesOfTheAPI() throws {
        let state = #"{"Id":"1","State":{"OOMKilled":true,"ExitCode":137,"Running":false,"Error":""}}"#
        let details = try EngineJSON.decode(ContainerDetails.self, from: Data(state.utf8))
        #expect(details.state.outOfMemory && details.state.exitCode == 137)
        let list = #"[{"Id":"1","Labels":{"clairo.worker":"ab","X":"y"},"Names":["/a"]}]"#
        let listed = try EngineJSON.decode([ListedContainer].self, from: Data(list.utf8))
        #expect(listed == [ListedContainer(id: "1", names: ["/a"], labels: ["clairo.worker": "ab", "X": "y"])])
        let image = #"{"Id":"sha256:0","Config":{"Volumes":{"/var/lib/Clairo":{}}}}"#
        let volumes = try EngineJSON.decode(ImageDetails.self, from: Data(image.utf8)).config?.volumes
        #expect(volumes?.keys.sorted() == ["/var/lib/Clairo"])
        let failure = try EngineJSON.decode(EngineFailure.self, from: Data(#"{"message":"no"}"#.utf8))
        #expect(failure.message == "no")
    }

    @Test func aLogIsReadWithoutItsHeaders() {
        let log = Data(
            [1, 0, 0, 0, 0, 0, 0, 2] + "ab".utf8 + [2, 0, 0, 0, 0, 0, 1, 0] + Data(repeating: 120, count: 256))
        #expect(DockerEngine.withoutHeaders(log) == Data("ab".utf8) + Data(repeating: 120, count: 256))
        // A truncated log.
        #expect(DockerEngine.withoutHeaders(Data([1, 0, 0, 0, 0, 0, 0, 9]) + Data("ab".utf8)) == Data("ab".utf8))
        #expect(DockerEngine.withoutHeaders(Data([1, 0, 0])) == Data())
    }

    @Test(arguments: [
        (500, "mkdir /var/lib/docker/overlay2/x: no space left on device", ClairoError.Kind.capacity, 74),
        (500, "failed to start shim: fork/exec: resource temporarily unavailable", .capacity, 75),
        (400, "invalid mount config for type \"bind\": bind source path does not exist: /x", .refused, 78),
        (500, "something else", .transient, 75), (400, "no command specified", .defect, 78),
    ])
    func anErrorReplyHasTheKindOfItsCause(status: Int, words: String, kind: ClairoError.Kind, exit: Int) {
        let error = DockerEngine.refusal(status: status, words, "create a container")
        #expect(error.kind == kind && error.exitCode.rawValue == Int32(exit))
        #expect(error.message == "The Docker daemon did not create a container: \(words)" && error.advice != nil)
    }

    @Test func aDaemonThatIsTooOldIsRefused() async throws {
        let scratch = try Scratch()
        let path = scratch.path("old.sock")
        let server = try RawServer(.unixSocket(path: path)) { connection in
            guard connection.readHead() != nil else { return }
            connection.reply(200, headers: [("Api-Version", "1.40")], body: Data("OK".utf8))
        }
        defer { server.stop() }
        let error = await onDedicatedThread(name: "test") {
            #expect(throws: ClairoError.self) { try DockerEngine(socket: path) }
        }
        #expect(error?.exitCode == .configuration && error?.message.contains("1.40") == true)
    }
}
