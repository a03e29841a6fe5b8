import { Field } from '../widgets/field.js';

interface Props {
  readonly tenants: readonly string[];
  readonly tenant: string;
  /** A choice for all of them, by its words. */
  readonly all?: string;
  onChoose(tenant: string): void;
}

export function TenantField({ tenants, tenant, all, onChoose }: Props) {
  return (
    <Field label="Tenant">
      {(props) => (
        <select {...props} value={tenant} onChange={(event) => onChoose(event.currentTarget.value)}>
          {all !== undefined && <option value="">{all}</option>}
          {tenants.map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      )}
    </Field>
  );
}
