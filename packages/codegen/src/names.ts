// What the exports of a generated file are called. Decides names only; prints nothing.
import type { DescFile, DescService } from "@bufbuild/protobuf";

/** The names of everything that is generated for one service. */
export interface ServiceNames {
  /** The client interface, as `MachineServiceClient`. */
  readonly client: string;
  /** The handler interface, as `MachineServiceHandler`. */
  readonly handler: string;
  /** The client factory, as `createMachineServiceClient`. */
  readonly create: string;
  /** The registration, as `registerMachineService`. */
  readonly register: string;
  /** The method table, as `MachineServiceMethods`. */
  readonly methods: string;
}

/**
 * Names the exports of all services of a file. Where two services would lead to the same name, the later one gets a `$`
 * at its end, which no proto name can have.
 */
export function serviceNames(file: DescFile): Map<DescService, ServiceNames> {
  const taken = new Set<string>();
  const claim = (wanted: string): string => {
    let name = wanted;
    while (taken.has(name)) name += "$";
    taken.add(name);
    return name;
  };
  return new Map(
    file.services.map((service) => [
      service,
      {
        client: claim(`${service.name}Client`),
        handler: claim(`${service.name}Handler`),
        create: claim(`create${capitalized(service.name)}Client`),
        register: claim(`register${capitalized(service.name)}`),
        methods: claim(`${service.name}Methods`),
      },
    ]),
  );
}

function capitalized(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
