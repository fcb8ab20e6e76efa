public import ArgumentParser
public import ClairoCore
public import ClairoExecutors

// Types of other modules that stand on the command line as they stand in JSON and SQL.

extension Priority: ExpressibleByArgument {}

extension Video.State: ExpressibleByArgument {}

extension SandboxMode: ExpressibleByArgument {}
