internal import AWSSigning
public import Foundation
internal import Glibc
internal import Synchronization

/// A local substitute for Amazon ECS. `moto_server` implements the API's state; this class runs the containers. A
/// started task is the built `clairo` with the command and variables of its overrides, next to a Fargate task metadata
/// server.
///
/// Tests can inject outcomes of tasks and replies of calls.
public final class ECSStandIn: Sendable {
    /// What happens to a task.
    public enum Outcome: Sendable {
        /// Its container runs.
        case run
        /// RunTask returns these reasons instead of a task. An empty list returns neither.
        case refused([String])
        /// Nothing runs, and the task stays in this state.
        case stuck(String)
        /// The task stops at once.
        case stopped(code: String, reason: String = "", containerReason: String? = nil, exit: Int? = nil)
        /// The task starts, is described this many times, and is then unknown to ECS.
        case vanishes(afterLooks: Int)
    }

    /// An injected reply to an API call.
    public struct Answer: Sendable {
        var operation: String
        var status: Int
        var code: String
        var message: String
        var headers: [String: String]
        var times: Int

        public init(
            _ operation: String, status: Int = 400, code: String, message: String = "as the test wants it",
            headers: [String: String] = [:], times: Int = 1
        ) {
            self.operation = operation
            self.status = status
            self.code = code
            self.message = message
            self.headers = headers
            self.times = times
        }
    }

    /// A received API call.
    public struct Call: Sendable {
        public var operation: String
        public var body: Data
        public var headers: [String: String]

        /// A field of a call to STS.
        public func field(_ name: String) -> String? { Handler.form(body)[name] }

        /// A value of the body, by keys and indices.
        public func value(_ path: String...) -> Any? {
            var value: Any? = try? JSONSerialization.jsonObject(with: body)
            for part in path {
                value = Int(part).map { (value as? [Any])?[$0] } ?? (value as? [String: Any])?[part]
            }
            return value
        }
    }

    private struct Running: Sendable {
        var outcome: Outcome
        var process: ChildProcess?
        var exit: Int32?
        var looks = 0
        var isStopped = false
    }

    private struct State {
        var outcomes: [Outcome] = []
        var answers: [Answer] = []
        var calls: [Call] = []
        var tasks: [String: Running] = [:]
        var tokens: [String: Data] = [:]
        var messages: [String] = []
    }

    public let cluster: String
    public let taskDefinition: String
    public let subnet: String
    public let securityGroup: String
    private let moto: S3Server
    private let environment: [String: String]
    private let state: Box
    private let server: StubServer

    /// Shared with the server's closure.
    private final class Box: Sendable {
        let mutex = Mutex(State())
    }

    /// CPU seconds and bytes of memory in each task's metadata.
    public static let cpuSeconds = 1234.5
    public static let memory: Int64 = 3 << 30

    public static var isAvailable: Bool { S3Server.isInstalled(.moto) && S3Server.isInstalled(.rclone) }

    /// - Parameter environment: Variables of the containers, such as S3's endpoint.
    public static func start(environment: [String: String], in scratch: Scratch) async throws -> ECSStandIn {
        let moto = try await S3Server.shared(.moto)
        let name = "clairo-\(UUID().uuidString.lowercased().prefix(8))"
        _ = try await call(
            "CreateCluster", ["clusterName": name, "capacityProviders": ["FARGATE", "FARGATE_SPOT"]], moto)
        _ = try await call(
            "RegisterTaskDefinition",
            [
                "family": "\(name)-task", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                "cpu": "2048",
                "memory": "4096",
                "containerDefinitions": [["name": "clairo", "image": "clairo", "memory": 4096, "essential": true]],
            ], moto)
        let subnet = try await ec2("DescribeSubnets", "subnetId", moto)
        let group = try await ec2("DescribeSecurityGroups", "groupId", moto)
        let standIn = try ECSStandIn(
            moto: moto, cluster: name, taskDefinition: "\(name)-task", subnet: subnet, securityGroup: group,
            environment: environment)
        scratch.onCleanup { standIn.stop() }
        return standIn
    }

    private init(
        moto: S3Server, cluster: String, taskDefinition: String, subnet: String, securityGroup: String,
        environment: [String: String]
    ) throws {
        self.moto = moto
        self.cluster = cluster
        self.taskDefinition = taskDefinition
        self.subnet = subnet
        self.securityGroup = securityGroup
        self.environment = environment
        let box = Box()
        state = box
        let port = PortBox()
        server = try StubServer { request, body in
            if request.method == "GET" { return Self.metadata(request.path) }
            return Handler(state: box, moto: moto.port, environment: environment, own: port.value).answer(request, body)
        }
        port.value = server.port
    }

    public var endpoint: String { server.url }

    /// Settings that make `clairo` use this substitute.
    public var settings: [String: String] {
        [
            "AWS_ENDPOINT_URL_ECS": endpoint, "AWS_ENDPOINT_URL_STS": endpoint, "CLAIRO_ECS_CLUSTER": cluster,
            "CLAIRO_ECS_TASK_DEFINITION": taskDefinition, "CLAIRO_ECS_SUBNETS": subnet,
            "CLAIRO_ECS_SECURITY_GROUPS": securityGroup,
        ]
    }

    /// Sets the outcome of the next tasks, one each. Later tasks run.
    public func setOutcomes(_ outcomes: Outcome...) { state.mutex.withLock { $0.outcomes += outcomes } }

    public func answer(_ answers: Answer...) { state.mutex.withLock { $0.answers += answers } }

    public var calls: [Call] { state.mutex.withLock { $0.calls } }

    public func calls(_ operation: String) -> [Call] { calls.filter { $0.operation == operation } }

    /// The processes of all tasks.
    public var processes: [ChildProcess] { state.mutex.withLock { $0.tasks.values.compactMap(\.process) } }

    private func stop() {
        for process in processes { process.send(SIGKILL) }
        server.stop()
    }

    // MARK: moto

    private static func call(_ operation: String, _ body: [String: Any], _ moto: S3Server) async throws -> Data {
        let data = try JSONSerialization.data(withJSONObject: body)
        let unsigned = AWSRequest(
            method: "POST", scheme: "http", host: "127.0.0.1:\(moto.port)",
            headers: [
                .init("Content-Type", "application/x-amz-json-1.1"),
                .init("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.\(operation)"),
            ], payload: .init(data))
        return try await send(unsigned, data, service: "ecs")
    }

    private static func send(_ unsigned: AWSRequest, _ body: Data, service: String) async throws -> Data {
        let signed = SigV4Signer(credentials: S3Server.credentials, region: S3Server.region, service: service)
            .sign(unsigned, at: Date())
        let response = try await HTTPClient.send(
            "POST", signed.url, headers: signed.headers.map { ($0.name, $0.value) }, body: body)
        guard response.status == 200 else { throw S3Server.Refused(server: "moto", response: response) }
        return response.body
    }

    /// The first value of an element in a reply of EC2.
    private static func ec2(_ action: String, _ element: String, _ moto: S3Server) async throws -> String {
        let body = Data("Action=\(action)&Version=2016-11-15".utf8)
        let unsigned = AWSRequest(
            method: "POST", scheme: "http", host: "127.0.0.1:\(moto.port)",
            headers: [.init("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], payload: .init(body))
        let text = String(decoding: try await send(unsigned, body, service: "ec2"), as: UTF8.self)
        guard let begin = text.range(of: "<\(element)>"),
            let end = text.range(of: "</\(element)>", range: begin.upperBound..<text.endIndex)
        else { throw S3Server.Refused(server: "moto", response: HTTPResponse(200, text)) }
        return String(text[begin.upperBound..<end.lowerBound])
    }

    /// See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html.
    private static func metadata(_ path: String) -> HTTPResponse {
        switch path {
        case "/v4/task": HTTPResponse(200, #"{"Family": "clairo", "Limits": {"CPU": 2, "Memory": 4096}}"#)
        case "/v4/task/stats":
            // One container without measurements yet.
            HTTPResponse(
                200,
                #"{"a": {"cpu_stats": {"cpu_usage": {"total_usage": \#(Int(cpuSeconds * 1e9))}}, "memory_stats": {"usage": 1, "max_usage": \#(memory)}}, "b": null}"#
            )
        default: HTTPResponse(404)
        }
    }

    private final class PortBox: Sendable {
        private let port = Mutex<UInt16>(0)
        var value: UInt16 {
            get { port.withLock { $0 } }
            set { port.withLock { $0 = newValue } }
        }
    }

    // MARK: Calls

    private struct Handler {
        let state: Box
        let moto: UInt16
        let environment: [String: String]
        let own: UInt16

        func answer(_ request: HTTPRequest, _ body: Data) -> HTTPResponse? {
            let form = Self.form(body)
            let operation = form["Action"] ?? String(request.headers["x-amz-target"]?.split(separator: ".").last ?? "")
            let answer: Answer? = state.mutex.withLock { state in
                state.calls.append(Call(operation: operation, body: body, headers: request.headers))
                guard let index = state.answers.firstIndex(where: { $0.operation == operation && $0.times > 0 })
                else { return nil }
                state.answers[index].times -= 1
                return state.answers[index]
            }
            if let answer {
                let text = #"{"__type": "com.amazonaws.ecs#\#(answer.code)", "message": "\#(answer.message)"}"#
                return HTTPResponse(answer.status, Data(text.utf8), headers: answer.headers)
            }
            // A call to STS. The server of the tests has one user, so the credentials are those of this user.
            if operation == "AssumeRole" { return Self.session(form) }
            var input = (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:]
            switch operation {
            case "RunTask": return run(&input, request)
            case "DescribeTasks": return describe(input, request)
            case "StopTask":
                if let arn = input["task"] as? String { end(arn) }
                return forward(request, body)
            default: return forward(request, body)
            }
        }

        /// The fields of a form; empty for another body.
        static func form(_ body: Data) -> [String: String] {
            let text = String(decoding: body, as: UTF8.self)
            guard text.hasPrefix("Action=") else { return [:] }
            let pairs = text.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
            return Dictionary(
                pairs.map { ($0[0], $0.count > 1 ? $0[1].removingPercentEncoding ?? "" : "") }, uniquingKeysWith: { $1 }
            )
        }

        /// See https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
        private static func session(_ form: [String: String]) -> HTTPResponse {
            guard form["RoleArn"] != nil, form["RoleSessionName"] != nil else { return HTTPResponse(400) }
            let end = Date(timeIntervalSinceNow: Double(form["DurationSeconds"] ?? "") ?? 3600)
            let keys = S3Server.credentials
            return HTTPResponse(
                200,
                """
                <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
                <AssumedRoleUser><Arn>\(form["RoleArn"] ?? "")</Arn><AssumedRoleId>A:b</AssumedRoleId></AssumedRoleUser>
                <Credentials><AccessKeyId>\(keys.accessKeyID)</AccessKeyId>
                <SecretAccessKey>\(keys.secretAccessKey)</SecretAccessKey><SessionToken>session</SessionToken>
                <Expiration>\(end.formatted(.iso8601))</Expiration></Credentials></AssumeRoleResult>
                <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleResponse>
                """)
        }

        private func forward(_ request: HTTPRequest, _ body: Data) -> HTTPResponse? {
            let names = ["x-amz-target", "content-type", "authorization", "x-amz-date"]
            let headers = names.compactMap { name in request.headers[name].map { (name: name, value: $0) } }
            return try? HTTPClient.sendAndWait("POST", "http://127.0.0.1:\(moto)/", headers: headers, body: body)
        }

        private func json(_ value: [String: Any]) -> HTTPResponse {
            HTTPResponse(200, (try? JSONSerialization.data(withJSONObject: value)) ?? Data())
        }

        private func run(_ input: inout [String: Any], _ request: HTTPRequest) -> HTTPResponse? {
            // RunTask is idempotent by token.
            let token = input["clientToken"] as? String ?? ""
            if let known = state.mutex.withLock({ $0.tokens[token] }) { return HTTPResponse(200, known) }
            let outcome = state.mutex.withLock { $0.outcomes.isEmpty ? .run : $0.outcomes.removeFirst() }
            if case .refused(let reasons) = outcome {
                return json(["tasks": [], "failures": reasons.map { ["arn": "arn:aws:ecs:none", "reason": $0] }])
            }
            // moto does not support capacity provider strategies; it needs launchType for Fargate.
            input["capacityProviderStrategy"] = nil
            input["launchType"] = "FARGATE"
            guard let body = try? JSONSerialization.data(withJSONObject: input),
                let reply = forward(request, body), reply.status == 200,
                let document = try? JSONSerialization.jsonObject(with: reply.body) as? [String: Any],
                let arn = ((document["tasks"] as? [[String: Any]])?.first)?["taskArn"] as? String
            else { return forward(request, (try? JSONSerialization.data(withJSONObject: input)) ?? Data()) }
            var running = Running(outcome: outcome)
            if case .run = outcome { running.process = try? start(input) }
            let process = running.process
            let started = running
            state.mutex.withLock { state in
                state.tokens[token] = reply.body
                state.tasks[arn] = started
            }
            if let process {
                let state = state
                Task {
                    let outcome = try? await process.outcome()
                    state.mutex.withLock { state in
                        state.tasks[arn]?.exit = outcome?.status ?? 1
                        state.messages.append(outcome?.errors ?? "")
                    }
                }
            }
            return reply
        }

        private func start(_ input: [String: Any]) throws -> ChildProcess? {
            let overrides = input["overrides"] as? [String: Any]
            guard let container = (overrides?["containerOverrides"] as? [[String: Any]])?.first,
                let command = container["command"] as? [String]
            else { return nil }
            var variables = environment
            for pair in container["environment"] as? [[String: String]] ?? [] {
                variables[pair["name"] ?? ""] = pair["value"]
            }
            variables["ECS_CONTAINER_METADATA_URI_V4"] = "http://127.0.0.1:\(own)/v4"
            return try ClairoProcess.start(command, environment: variables, deadline: .seconds(900))
        }

        private func end(_ arn: String) {
            let process = state.mutex.withLock { state in
                state.tasks[arn]?.isStopped = true
                return state.tasks[arn]?.process
            }
            process?.send(SIGTERM)
        }

        private func describe(_ input: [String: Any], _ request: HTTPRequest) -> HTTPResponse? {
            guard let body = try? JSONSerialization.data(withJSONObject: input),
                let reply = forward(request, body), reply.status == 200,
                let document = try? JSONSerialization.jsonObject(with: reply.body) as? [String: Any]
            else { return forward(request, (try? JSONSerialization.data(withJSONObject: input)) ?? Data()) }
            var tasks: [[String: Any]] = []
            var failures: [[String: Any]] = []
            for var task in document["tasks"] as? [[String: Any]] ?? [] {
                guard let arn = task["taskArn"] as? String else { continue }
                task["cpu"] = "2048"
                task["memory"] = "4096"
                let running: Running? = state.mutex.withLock { state in
                    state.tasks[arn]?.looks += 1
                    return state.tasks[arn]
                }
                if let running, !Self.show(running, &task) {
                    failures.append(["arn": arn, "reason": "MISSING"])
                } else {
                    tasks.append(task)
                }
            }
            return json(["tasks": tasks, "failures": failures])
        }

        /// - Returns: False if the task is unknown.
        private static func show(_ running: Running, _ task: inout [String: Any]) -> Bool {
            var container: [String: Any] = ["name": "clairo"]
            switch running.outcome {
            case .run:
                if let exit = running.exit {
                    task["lastStatus"] = "STOPPED"
                    task["stopCode"] = running.isStopped ? "UserInitiated" : "EssentialContainerExited"
                    task["stoppedReason"] = "Essential container in task exited"
                    container["exitCode"] = Int(exit)
                } else {
                    task["lastStatus"] = running.looks < 2 ? "PENDING" : "RUNNING"
                }
            case .refused: return false
            case .stuck(let status): task["lastStatus"] = running.isStopped ? "STOPPED" : status
            case .vanishes(let looks):
                if running.looks > looks { return false }
                task["lastStatus"] = "RUNNING"
            case .stopped(let code, let reason, let containerReason, let exit):
                task["lastStatus"] = "STOPPED"
                task["stopCode"] = code
                task["stoppedReason"] = reason
                if let containerReason { container["reason"] = containerReason }
                if let exit { container["exitCode"] = exit }
            }
            container["lastStatus"] = task["lastStatus"]
            task["containers"] = [container]
            return true
        }
    }
}
